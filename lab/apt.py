"""Where this machine gets Debian from: its own apt configuration, never a name written here."""

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from lab.run import attempt

APT = Path("/etc/apt")
ONE_LINE = re.compile(r"^deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)\s+(.*)$")


def sources(folder: Path = APT) -> list[tuple[str, str]]:
    """(file name, text) of the machine's lists of sources that apt itself would read."""
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    return [
        (path.name, path.read_text(encoding="utf-8", errors="replace"))
        for path in files
        if path.suffix in {".list", ".sources"} and path.is_file()
    ]


def entries(name: str, text: str) -> list[tuple[str, list[str], list[str]]]:
    """(URI, suites, components) of each enabled binary source in one list, in its order."""
    if name.endswith(".sources"):
        return _stanzas(text)
    found = []
    for line in text.splitlines():
        match = ONE_LINE.match(line.strip())
        if match:
            found.append((match[1], [match[2]], match[3].split()))
    return found


def _stanzas(text: str) -> list[tuple[str, list[str], list[str]]]:
    found = []
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.splitlines() if not line.startswith("#")]
        fields: dict[str, str] = {}
        last = ""
        for line in lines:
            if line[:1].isspace() and last:
                fields[last] += " " + line.strip()
            elif ":" in line:
                last, _, value = line.partition(":")
                last = last.strip().lower()
                fields[last] = value.strip()
        enabled = fields.get("enabled", "yes").lower() not in {"no", "false", "0"}
        if enabled and "deb" in fields.get("types", "").split():
            suites, components = fields.get("suites", ""), fields.get("components", "")
            found += [
                (uri, suites.split(), components.split()) for uri in fields.get("uris", "").split()
            ]
    return found


def mirror(lists: list[tuple[str, str]], suite: str, own_codename: str = "") -> str | None:
    """The URI that serves Debian's `suite`: a source of that suite, or else of the machine's own
    Debian suite `own_codename` (one mirror serves them all). None when the machine has neither.
    """
    found = [entry for name, text in lists for entry in entries(name, text)]
    for wanted in (suite, own_codename):
        for uri, suites, components in found:
            if wanted and wanted in suites and "main" in components:
                return _first_of_list(uri)
    return None


def _first_of_list(uri: str) -> str:
    """The URI itself, or the first one in the file that a mirror+file: URI names."""
    if not uri.startswith("mirror+file:"):
        return uri
    listing = Path(uri.removeprefix("mirror+file:")).read_text(encoding="utf-8")
    return next((line.split()[0] for line in listing.splitlines() if line.strip()), uri)


def download_settings(dump: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Proxy variables and the CA file from `apt-config dump`, for a downloader that is not apt.

    Keys: http_proxy, https_proxy, ca_certificate; what `environ` already has is left to it.
    """
    names = {
        "Acquire::http::Proxy": "http_proxy",
        "Acquire::https::Proxy": "https_proxy",
        "Acquire::https::CaInfo": "ca_certificate",
    }
    found = {}
    for line in dump.splitlines():
        name, _, rest = line.partition(" ")
        key = {known.lower(): key for known, key in names.items()}.get(name.lower())
        value = "".join(shlex.split(rest.rstrip(";"))) if key else ""
        if key and value and value != "DIRECT" and key not in environ:
            found[key] = value
    return found


def machine_download_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """`download_settings` of this machine; nothing on a machine without apt."""
    answer = attempt(["sh", "-c", "command -v apt-config >/dev/null && apt-config dump"])
    return download_settings(answer.stdout, environ) if answer.returncode == 0 else {}
