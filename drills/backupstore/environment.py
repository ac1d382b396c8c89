"""The backup store that somebody names on a command line, with what the environment knows of it.

The variables are named as the keys of Longhorn's own credential secret, so that one can be turned
into the other: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINTS (https://host:port, without
it Amazon's) and AWS_CERT (the CA as PEM text, or the path of a file with it; without it the
system's). A folder needs none of them.
"""

import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from drills.backupstore.folder_objects import FolderObjects
from drills.backupstore.layout import BASE
from drills.backupstore.objects import Objects
from drills.backupstore.s3_objects import S3Objects
from drills.backupstore.url import Target, parse_target
from s3.client import Credential, StoreEndpoint

ACCESS_KEY, SECRET_KEY = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"
ENDPOINT, CERTIFICATE = "AWS_ENDPOINTS", "AWS_CERT"
_PEM = "-----BEGIN "


class SettingError(Exception):
    """A target or variable that is wrong or not there; one sentence, never with its value."""


def open_target(text: str, environ: Mapping[str, str], connections: int) -> Objects:
    """The objects of a target: s3://BUCKET@REGION/PREFIX/, file:///FOLDER or a folder's path.

    connections: how many threads read at once. Nothing is asked of a store yet.

    Raises SettingError, and BackupStoreError for a URL that is none of a target.
    """
    if text.startswith("file://"):
        return _folder(Path(unquote(urlsplit(text).path)))
    if "://" in text:
        return _bucket(parse_target(text), environ, connections)
    return _folder(Path(text))


def _folder(folder: Path) -> Objects:
    if not folder.is_dir():
        raise SettingError(f"{folder} is no folder; give one, or s3://BUCKET@REGION/PREFIX/")
    if not (folder / BASE).is_dir():
        raise SettingError(
            f"{folder} has no folder {BASE} in it; give the folder that Longhorn's target names"
        )
    return FolderObjects(folder)


def _bucket(target: Target, environ: Mapping[str, str], connections: int) -> Objects:
    credential = Credential(_given(environ, ACCESS_KEY), _given(environ, SECRET_KEY))
    url = environ.get(ENDPOINT, "").strip() or f"https://s3.{target.region}.amazonaws.com"
    try:
        endpoint = StoreEndpoint(url, target.region, _certificates(environ))
    except ValueError as error:
        raise SettingError(f"{error}; look at {ENDPOINT} and {CERTIFICATE}") from None
    return S3Objects(endpoint, credential, target, connections)


def _given(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name, "").strip()
    if not value:
        raise SettingError(
            f"{name} is not set; take it from the credential secret of the backup target"
        )
    return value


def _certificates(environ: Mapping[str, str]) -> str:
    given = environ.get(CERTIFICATE, "").strip()
    if given.startswith(_PEM):
        return given
    path = given or ssl.get_default_verify_paths().cafile
    if not path:
        raise SettingError(f"{CERTIFICATE} is not set, and this system has no CAs of its own")
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "no text"
        raise SettingError(
            f"{CERTIFICATE} is neither PEM text nor a file that can be read ({why})"
        ) from None
