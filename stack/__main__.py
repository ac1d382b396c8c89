"""`python -m stack COMMAND [-s STACK] [-C DIR] [-- ENGINE ARGUMENTS]`; see docs/how-
to/recover.md.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from stack import drills, engine, operations, plugins, project, verdicts
from stack.errors import StackError
from stack.session import Session

CHECKOUT = Path(__file__).resolve().parent.parent
EXPORTED = (
    "PATH",
    "BACKSTOP_PYTHON",
    "PULUMI_SKIP_UPDATE_CHECK",
    "PULUMI_ERROR_OUTPUT_STRING",
    "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION",
)


def main(argv: Sequence[str], base: Mapping[str, str]) -> int:
    """Runs one command and returns its exit code: the engine's, or 1 for an error of ours."""
    ours, extra = _split(argv)
    arguments = _parser().parse_args(ours)
    try:
        return _run(arguments, extra, base)
    except StackError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.code


def _run(arguments: argparse.Namespace, extra: list[str], base: Mapping[str, str]) -> int:
    cli = engine.find_cli(base, engine.cached_tool)
    choices = plugins.choose(
        plugins.needed(CHECKOUT / "versions.toml"),
        base,
        plugins.pulumi_homes(base, Path.home()),
        cli,
        CHECKOUT.joinpath(*plugins.STANDINS),
    )
    env = engine.environment(base, cli, choices, sys.executable)
    for note in filter(None, (choice.note for choice in choices)):
        print(note, file=sys.stderr)
    if arguments.command == "env":
        for name in EXPORTED:
            if name in env:
                print(f"export {name}={shlex.quote(env[name])}")
        return 0
    _refuse_missing(choices, base)
    directory = arguments.cwd.resolve()
    pulumi = engine.PulumiEngine(cli, env, directory)
    described = project.load(directory, env, Path.home())
    stack = arguments.stack or base.get("PULUMI_STACK") or _selected(pulumi)
    receipts = verdicts.directory(env, Path.home(), described.site(stack))
    session = Session(stack, described, pulumi, receipts, _say)
    if arguments.command == "drill":
        verb, layers = _verb(arguments.words)
        run = drills.Process(env, CHECKOUT)
        if verb == drills.BACKUP:
            return operations.backup(session, layers, run, as_json=arguments.json)
        return operations.drill(
            session, verb, layers, run,
            as_json=arguments.json, surroundings=arguments.surroundings,
        )  # fmt: skip
    return _dispatch(arguments, extra, session)


def _dispatch(arguments: argparse.Namespace, extra: list[str], session: Session) -> int:
    passed = [*_passed(arguments), *extra]
    match arguments.command:
        case "up":
            return operations.up(session, passed, preview_first=arguments.preview)
        case "preview":
            return operations.preview(session, passed)
        case "refresh":
            return operations.refresh(session, passed)
        case "destroy":
            return operations.destroy(session, passed, confirmed=arguments.yes)
        case "recover":
            chosen = dict.fromkeys(arguments.clear, "") | dict(arguments.adopt)
            return operations.recover(session, chosen, check=arguments.check)
        case command:
            show = operations.verdict_table if command == "verdicts" else operations.output
            return show(session, passed)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m stack",
        description="Drives the Pulumi engine for one stack; arguments after -- go to the engine.",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "-s", "--stack", help="the stack; default: PULUMI_STACK, else the selected one"
    )
    common.add_argument(
        "-C", "--cwd", type=Path, default=CHECKOUT, help="the folder of Pulumi.yaml"
    )
    checked = argparse.ArgumentParser(add_help=False)
    checked.add_argument("--policy-pack", action="append", default=[], metavar="DIR")
    checked.add_argument("--expect-no-changes", action="store_true")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser(
        "up", parents=[common, checked], help="converge and prove the stack"
    )
    command.add_argument("--preview", action="store_true", help="show the engine's preview first")
    command = commands.add_parser(
        "preview", parents=[common, checked], help="show what up would do"
    )
    command.add_argument("--json", action="store_true")
    commands.add_parser("refresh", parents=[common], help="read the real world back into the state")
    command = commands.add_parser(
        "destroy", parents=[common], help="remove all but protected resources"
    )
    command.add_argument("--yes", action="store_true", help="do not ask")
    command = commands.add_parser(
        "recover", parents=[common], help="repair after an interrupted run"
    )
    command.add_argument("--check", action="store_true", help="only say what would be done")
    command.add_argument("--clear", action="append", default=[], metavar="URN")
    command.add_argument("--adopt", action="append", default=[], metavar="URN=ID", type=_adoption)
    commands.add_parser("env", parents=[common], help="print exports for plain pulumi commands")
    commands.add_parser("output", parents=[common], help="print the stack's outputs")
    command = commands.add_parser(
        "drill", parents=[common], help="run drills now, or their controls"
    )
    command.add_argument(
        "words",
        nargs="*",
        metavar="LAYER",
        help="`run` (the default) or `control` may come first; all layers if none is named; "
        "`backup [SCHEDULE]` makes a backup with the truth to hold against it",
    )
    command.add_argument("--json", action="store_true", help="print receipts, not the table")
    command.add_argument(
        "--surroundings", default="", metavar="UID",
        help="with `control`, in a lab: also plant faults in the live cluster of this uid",
    )  # fmt: skip
    commands.add_parser("verdicts", parents=[common], help="print the verdicts of the last up")
    return parser


def _verb(words: Sequence[str]) -> tuple[str, list[str]]:
    """What `drill` shall do, and in which layers."""
    if words and words[0] in (drills.RUN, drills.CONTROL, drills.BACKUP):
        return words[0], list(words[1:])
    return drills.RUN, list(words)


def _passed(arguments: argparse.Namespace) -> list[str]:
    packs = getattr(arguments, "policy_pack", [])
    passed = [part for pack in packs for part in ("--policy-pack", pack)]
    if getattr(arguments, "expect_no_changes", False):
        passed.append("--expect-no-changes")
    if getattr(arguments, "json", False):
        passed.append("--json")
    return passed


def _adoption(text: str) -> tuple[str, str]:
    urn, separator, identity = text.rpartition("=")
    if not separator or not identity:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form URN=ID")
    return urn, identity


def _split(argv: Sequence[str]) -> tuple[list[str], list[str]]:
    words = list(argv)
    at = words.index("--") if "--" in words else len(words)
    return words[:at], words[at + 1 :]


def _selected(pulumi: engine.Engine) -> str:
    done = pulumi.capture("stack", "--show-name")
    if done.code or not done.stdout.strip():
        raise StackError("no stack is selected: name one with -s")
    return done.stdout.strip()


def _refuse_missing(choices: Sequence[plugins.Choice], base: Mapping[str, str]) -> None:
    # Without stand-ins the engine may fetch plugins itself, unless that was switched off.
    if base.get("PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION", "").lower() not in ("1", "true"):
        return
    for choice in choices:
        if choice.origin is plugins.Origin.MISSING:
            raise StackError(f"{choice.plugin.binary} is missing: {choice.plugin.install}")


def _say(line: str) -> None:
    # Flushed, because the engine writes to the same stream.
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
