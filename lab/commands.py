"""The lab's command line."""

import argparse
import dataclasses
import json
import os
import signal
import sys
from types import FrameType

from lab import environment, instance, lifecycle, machine, packages, pins, ssh, status, tools, venv
from lab.cluster import health
from lab.errors import LabError
from lab.hosts import DEFAULT_HOSTS, HOSTS, spec
from lab.instance import Instance
from lab.paths import instance_name, lab_home


def main(arguments: list[str]) -> int:
    """Runs one command; 0 when it is done, 1 after one sentence on stderr when it cannot be."""
    stop_on_request()
    os.environ["PATH"] = packages.with_system_folders(os.environ.get("PATH", os.defpath))
    options = _parser().parse_args(arguments)
    try:
        code = options.run(options)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        # A full or read-only disk, no permission: the system's own words say it in one line.
        print(f"lab: {error}: correct that and run the command again", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("lab: interrupted; the next run goes on from here", file=sys.stderr)
        return 130
    return int(code or 0)


def stop_on_request() -> None:
    """Makes SIGTERM end what this process started, like Ctrl-C does."""
    signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (signal's signature)
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m lab", description="The lab on this machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    one = commands.add_parser("up", help="make and start the hosts, tools and environment")
    one.add_argument("--host", action="append", choices=list(HOSTS), help="this one (repeatable)")
    one.add_argument("--no-tools", action="store_true", help="only the hosts, build nothing")
    one.add_argument("--no-cluster", action="store_true", help="cp1 stays a plain host")
    one.set_defaults(run=_up)

    one = commands.add_parser("down", help="take the hosts away with all that is in them")
    one.add_argument("--all", action="store_true", help="every instance on this machine")
    one.add_argument("--keep", action="store_true", help="only stop the hosts, keep their files")
    one.set_defaults(run=_down)

    one = commands.add_parser("status", help="show the hosts and the parts of the cluster")
    one.add_argument("--json", action="store_true", help="for programs")
    one.set_defaults(run=_status)

    one = commands.add_parser("env", help='shell exports: eval "$(python3 -m lab env)"')
    one.set_defaults(run=_env)

    one = commands.add_parser("exec", help="run a command on a host: lab exec HOST -- COMMAND...")
    one.add_argument("host", choices=list(HOSTS))
    one.add_argument("remote", nargs="*", metavar="COMMAND")
    one.set_defaults(run=_exec)

    one = commands.add_parser("tools", help="build the pinned tools that are not there yet")
    one.add_argument("names", nargs="*", metavar="NAME", help="all of them without a name")
    one.add_argument("--print", action="store_true", dest="show", help="print name and path")
    one.set_defaults(run=_tools)

    one = commands.add_parser("venv", help="install the pinned Python packages, print the folder")
    one.set_defaults(run=_venv)
    return parser


def _up(options: argparse.Namespace) -> None:
    lab = lifecycle.up(
        options.host or DEFAULT_HOSTS,
        with_tools=not options.no_tools,
        with_cluster=not options.no_cluster,
    )
    print(status.table(lab, status.of(lab), health.of(lab)))


def _down(options: argparse.Namespace) -> None:
    names = instance.names(lab_home()) if options.all else [instance_name()]
    for name in names:
        lifecycle.down(name, keep=options.keep)
        print(f"lab {name}: {'stopped' if options.keep else 'gone'}")


def _this(command: str) -> Instance:
    packages.require_root(os.geteuid(), command)
    name = instance_name()
    lab = instance.load(lab_home(), name)
    if lab is None:
        raise LabError(f"there is no lab {name} on this machine: run `python3 -m lab up`")
    return lab


def _status(options: argparse.Namespace) -> None:
    lab = _this("status")
    hosts = status.of(lab)
    cluster = health.of(lab)
    if options.json:
        listing = [dataclasses.asdict(host) for host in hosts]
        document = {
            "instance": lab.name,
            "network": str(lab.network),
            "hosts": listing,
            **({} if cluster is None else {"cluster": cluster}),
        }
        print(json.dumps(document, indent=2))
    else:
        print(status.table(lab, hosts, cluster))


def _env(_options: argparse.Namespace) -> None:
    print(environment.exports(_this("env")), end="")


def _exec(options: argparse.Namespace) -> None:
    lab = _this(f"exec {options.host}")
    host = spec(options.host)
    if machine.state(lab, host) != "running":
        raise LabError(f"{host.name} is not running: run `python3 -m lab up --host {host.name}`")
    line = ssh.command(lab, host, options.remote)
    os.execvp(line[0], line)  # noqa: S606  (ssh takes the terminal over; a list, no shell here)


def _tools(options: argparse.Namespace) -> None:
    names = options.names or list(pins.load()[0])
    for name in names:
        pins.tool(name)
    for name, path in tools.ensure(names).items():
        if options.show:
            print(f"{name} {path}")


def _venv(_options: argparse.Namespace) -> None:
    print(venv.ensure())
