"""The words after `python -m drills longhorn`."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from drills.backupstore.environment import SettingError
from drills.backupstore.url import parse_backup_url

PROGRAM = "python -m drills longhorn"
_DESCRIPTION = """\
Reads Longhorn's backups without Longhorn. TARGET is s3://BUCKET@REGION/PREFIX/, a folder that a
share is mounted on, or the URL of a backup (TARGET?backup=..&volume=..). Credentials of an S3
target are taken from the environment, by the names of Longhorn's own secret: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_ENDPOINTS (https://host:port) and AWS_CERT (the CA, as PEM text or as
the path of a file). Nothing is ever written to the target."""
_EPILOG = """\
exit codes: 0 done and sound; 20 something in the backups is damaged or lost; 21 it could not be
done; 2 wrong arguments or environment"""


@dataclass(frozen=True)
class Request:
    """What was asked for; "" and None stand for what was not said. `days`: of the quick depth."""

    command: str
    target: str
    volume: str
    backup: str
    path: str
    output: Path | None
    days: int | None
    sha256: bool
    json: bool


def parse(words: Sequence[str]) -> Request:
    """Prints help or what is wrong and raises SystemExit, with 2 for the latter.

    Raises SettingError and BackupStoreError for a URL that says something else than the options.
    """
    parser, commands = _parsers()
    if not words or words[0] not in commands:
        parser.parse_args(words)
    # Not through the parser of all: options may stand between TARGET and PATH.
    given = commands[words[0]].parse_intermixed_args(words[1:])
    target, volume, backup = _from_url(given.target)
    volume = _agreed("--volume", volume, given.volume)
    backup = _agreed("--backup", backup, given.backup)
    if backup and not volume:
        raise SettingError("--backup needs --volume: backups are named within their volume")
    if words[0] == "ls" and given.path and not backup:
        raise SettingError("a path needs --volume and --backup, for it is one within a backup")
    return Request(
        words[0],
        target,
        volume,
        backup,
        getattr(given, "path", "") or "",
        getattr(given, "output", None),
        getattr(given, "quick", None),
        getattr(given, "sha256", False),
        getattr(given, "json", False),
    )


def _parsers() -> tuple[argparse.ArgumentParser, Mapping[str, argparse.ArgumentParser]]:
    """What tells of all commands, and what reads the words of each."""
    parser = argparse.ArgumentParser(
        prog=PROGRAM,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, does: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=does, description=does, allow_abbrev=False)
        made.add_argument("target", metavar="TARGET")
        made.add_argument(
            "--volume",
            default="",
            metavar="V",
            help="a volume, or the claim it is of (NAMESPACE/NAME)",
        )
        made.add_argument("--backup", default="", metavar="B", help="a backup of the volume")
        return made

    listed = command("ls", "list volumes; with --volume its backups; with --backup the files in it")
    listed.add_argument("path", nargs="?", metavar="PATH", help="a folder within the backup")
    checked = command("verify", "read every block and hold it against its checksum")
    depth = checked.add_mutually_exclusive_group()
    depth.add_argument("--full", action="store_true", help="every block (this is the default)")
    depth.add_argument(
        "--quick",
        type=_days,
        metavar="N",
        help="look whether all are there, and read those due today: run daily, it reads every "
        "block within N days",
    )
    restored = command("restore", "write a backup as a raw image; the newest one without --backup")
    _output(
        restored,
        "FILE",
        "the image, - for stdout; an interrupted one is gone on with by the same command",
    )
    restored.add_argument("--sha256", action="store_true", help="print the SHA-256 of the image")
    shown = command("cat", "print one file out of a backup")
    shown.add_argument("path", metavar="PATH", help="the file within the volume")
    taken = command("extract", "write the files of a backup to a folder")
    taken.add_argument("path", nargs="?", metavar="PATH", help="a folder or file; all without it")
    _output(taken, "FOLDER", "a folder that does not exist yet")
    for one in (listed, checked, restored):
        one.add_argument("--json", action="store_true", help="one JSON object, for machines")
    return parser, commands.choices
    return parser


def _output(parser: argparse.ArgumentParser, name: str, what: str) -> None:
    parser.add_argument("-o", "--output", type=Path, required=True, metavar=name, help=what)


def _days(text: str) -> int:
    days = int(text)
    if days < 1:
        raise argparse.ArgumentTypeError("give a number of days, 1 or more")
    return days


def _from_url(text: str) -> tuple[str, str, str]:
    """Target, volume and backup. Raises BackupStoreError, SettingError."""
    if text.startswith("s3://") and "?" in text:
        target, volume, backup = parse_backup_url(text)
        return target.url, volume, backup
    if text.startswith("file://") and "?" in text:
        query = dict(parse_qsl(urlsplit(text).query))
        if set(query) != {"backup", "volume"}:
            raise SettingError(f"{text} names no backup; give it as TARGET?backup=..&volume=..")
        return text.partition("?")[0], query["volume"], query["backup"]
    return text, "", ""


def _agreed(option: str, in_url: str, given: str) -> str:
    if in_url and given and in_url != given:
        raise SettingError(f"{option} {given} is not what the URL says, {in_url}; give one of them")
    return in_url or given
