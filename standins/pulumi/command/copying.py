"""Copy files to a host over SFTP, with the path rules of the official plugin (those of scp).

source | destination is a directory | does not exist        | is a file
dir    | destination/dir            | destination/dir       | error
dir/   | its entries in destination | its entries in it     | error
file   | destination/file           | destination           | overwritten
text   | error                      | destination           | overwritten
"""

import io
import posixpath
import stat
from pathlib import Path
from typing import IO

import paramiko

from standins.pulumi.plugin import PluginError
from standins.pulumi.values import WireArchive, WireAsset

_CHANNEL_WINDOW = 1 << 24
_BUFFER_BYTES = 1 << 20


def copy_content(
    transport: paramiko.Transport, source: WireAsset | WireArchive, destination: str
) -> None:
    """Copy an asset or archive, making missing parent directories. Raises PluginError."""
    with _client(transport) as sftp:
        if isinstance(source, WireAsset) and source.text is not None:
            _copy_text(sftp, source.text, destination)
        elif source.path is not None:
            _copy_path(sftp, source.path, destination)


def copy_file(transport: paramiko.Transport, local_path: str, destination: str) -> None:
    """Copy one file to exactly that path; its directory must exist. Raises PluginError."""
    with _client(transport) as sftp:
        _put_file(sftp, Path(local_path), destination)


def _client(transport: paramiko.Transport) -> paramiko.SFTPClient:
    sftp = paramiko.SFTPClient.from_transport(transport, window_size=_CHANNEL_WINDOW)
    if sftp is None:
        raise PluginError("the SSH server offers no file transfer: enable its sftp subsystem")
    return sftp


def _copy_text(sftp: paramiko.SFTPClient, text: str, destination: str) -> None:
    if _kind(sftp, destination) == "directory":
        raise PluginError(
            f"remotePath {destination} is a directory: a text source needs the path of a file"
        )
    _make_directories(sftp, posixpath.dirname(destination))
    data = text.encode()
    _put(sftp, io.BytesIO(data), len(data), destination)


def _copy_path(sftp: paramiko.SFTPClient, source: str, destination: str) -> None:
    local = Path(source)
    if not local.exists():
        raise PluginError(f"the source {source} does not exist here")
    kind = _kind(sftp, destination)
    if not local.is_dir():
        if kind == "directory":
            destination = posixpath.join(destination, local.name)
        elif kind is None:
            _make_directories(sftp, posixpath.dirname(destination))
        _put_file(sftp, local, destination)
        return
    if not source.endswith("/"):
        _make_directories(sftp, destination)
        destination = posixpath.join(destination, local.name)
    _copy_directory(sftp, local, destination)


def _copy_directory(sftp: paramiko.SFTPClient, local: Path, destination: str) -> None:
    _make_directories(sftp, destination)
    for entry in sorted(local.iterdir()):
        target = posixpath.join(destination, entry.name)
        if entry.is_dir() and not entry.is_symlink():
            _copy_directory(sftp, entry, target)
        else:
            _put_file(sftp, entry, target)


def _put_file(sftp: paramiko.SFTPClient, local: Path, destination: str) -> None:
    try:
        file = local.open("rb", buffering=_BUFFER_BYTES)
    except OSError as error:
        raise PluginError(f"the source {local} cannot be read: {error.strerror}") from error
    with file:
        _put(sftp, file, local.stat().st_size, destination)


def _put(sftp: paramiko.SFTPClient, data: IO[bytes], size: int, destination: str) -> None:
    try:
        # Writes are sent without waiting for each answer; the size is compared at the end.
        sftp.putfo(data, destination, file_size=size, confirm=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PluginError(
            f"{destination} cannot be written on the host: {reason}; check the rights of "
            "connection.user and the free space there"
        ) from error


def _kind(sftp: paramiko.SFTPClient, path: str) -> str | None:
    try:
        mode = sftp.stat(path).st_mode or 0
    except FileNotFoundError:
        return None
    except OSError as error:
        raise PluginError(f"{path} on the host cannot be looked at: {error}") from error
    return "directory" if stat.S_ISDIR(mode) else "file"


def _make_directories(sftp: paramiko.SFTPClient, path: str) -> None:
    if path in ("", "/"):
        return
    kind = _kind(sftp, path)
    if kind == "file":
        raise PluginError(f"{path} on the host is a file, but must be a directory for this copy")
    if kind is None:
        _make_directories(sftp, posixpath.dirname(path))
        try:
            sftp.mkdir(path)
        except OSError as error:
            # Another copy may have made it at the same moment; everything else is an error.
            if _kind(sftp, path) != "directory":
                raise PluginError(f"{path} cannot be made on the host: {error}") from error
