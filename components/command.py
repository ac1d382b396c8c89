"""The one place that builds pulumi-command resources.

Every Command gets its secrets by stdin, is not logged, keeps no previous output and pins the host
key; a policy checks the same again from outside.
"""

import shlex
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pulumi
from pulumi_command import local, remote

from components.settings import Host

# An SSH dial that fails this often in a row is a host that is down, not one that is slow.
DIAL_ERROR_LIMIT = 3
DIAL_TIMEOUT_SECONDS = 10
# Between the findings of a token (see host_facts).
SEPARATOR = "; "


@cache
def _read_script(path: Path) -> str:
    return path.read_text()


def script(directory: Path, *names: str, **values: str) -> str:
    """The text of the scripts `names` in `directory`, behind their values as shell assignments.

    Values are quoted; none may be a secret, for the text is a command line on the host.
    """
    assignments = "".join(f"{key}={_quoted(key, value)}\n" for key, value in values.items())
    return assignments + "".join(_read_script(directory / name) for name in names)


def _quoted(key: str, value: str) -> str:
    if key != "TOKEN":
        return shlex.quote(value)
    # One finding a line: the engine cuts long lines of a diff, and the last ones would not show.
    *parts, last = value.split(SEPARATOR)
    return "\\\n".join([*(shlex.quote(part + SEPARATOR) for part in parts), shlex.quote(last)])


def as_root(host: Host, text: str) -> str:
    """The command line that runs `text` as root on `host`, whatever the user's login shell is."""
    prefix = "" if host.user == "root" else "sudo -n "
    return f"{prefix}/bin/sh -c {shlex.quote(text)}"


def connection(host: Host, private_key: pulumi.Input[str]) -> remote.ConnectionArgs:
    """How to reach `host`; its key is always pinned."""
    return remote.ConnectionArgs(
        host=host.address,
        user=host.user,
        port=host.port,
        private_key=private_key,
        host_key=host.host_key,
        dial_error_limit=DIAL_ERROR_LIMIT,
        per_dial_timeout=DIAL_TIMEOUT_SECONDS,
    )


def _options(
    opts: pulumi.ResourceOptions | None, secret_output: bool
) -> pulumi.ResourceOptions | None:
    if not secret_output:
        return opts
    secret = pulumi.ResourceOptions(additional_secret_outputs=["stdout", "stderr"])
    return pulumi.ResourceOptions.merge(opts, secret)


def on_host(
    name: str,
    host: Host,
    private_key: pulumi.Input[str],
    text: pulumi.Input[str],
    *,
    stdin: pulumi.Input[str] | None = None,
    secret_output: bool = False,
    opts: pulumi.ResourceOptions | None = None,
) -> remote.Command:
    """Runs the script `text` as root on `host`, on creation and on every change of it.

    The script must be idempotent: any changed input runs it again, and so does an interruption.
    """
    create = pulumi.Output.from_input(text).apply(lambda value: as_root(host, value))
    return remote.Command(
        name,
        connection=connection(host, private_key),
        create=create,
        stdin=None if stdin is None else pulumi.Output.secret(stdin),
        logging=remote.Logging.NONE,
        add_previous_output_in_env=False,
        opts=_options(opts, secret_output),
    )


def copy_to_host(
    name: str,
    host: Host,
    private_key: pulumi.Input[str],
    source: Path,
    remote_path: str,
    *,
    triggers: Sequence[pulumi.Input[str]],
    opts: pulumi.ResourceOptions | None = None,
) -> remote.CopyToRemote:
    """Copies the file `source` to `remote_path`, again when its content or a trigger changes."""
    return remote.CopyToRemote(
        name,
        connection=connection(host, private_key),
        source=pulumi.FileAsset(source),
        remote_path=remote_path,
        triggers=list(triggers),
        opts=opts,
    )


def on_operator(
    name: str,
    text: str,
    *,
    stdin: pulumi.Input[str] | None = None,
    triggers: Sequence[pulumi.Input[str]] = (),
    environment: Mapping[str, pulumi.Input[str]] | None = None,
    delete: str | None = None,
    secret_output: bool = False,
    opts: pulumi.ResourceOptions | None = None,
) -> local.Command:
    """Runs `text` where the engine runs; `text` names no path of that machine.

    A changed trigger replaces the resource, which runs `text` again. `delete` runs when the
    resource goes, and so when it is replaced: a Command that has one takes no triggers.
    """
    if delete is not None and triggers:
        raise ValueError(f"command {name}: a replacement would run its delete; take the triggers")
    return local.Command(
        name,
        create=text,
        delete=delete,
        stdin=None if stdin is None else pulumi.Output.secret(stdin),
        triggers=list(triggers) or None,
        environment=dict(environment) if environment else None,
        logging=local.Logging.NONE,
        add_previous_output_in_env=False,
        opts=_options(opts, secret_output),
    )
