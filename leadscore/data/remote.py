"""Files behind a URL, by fsspec: what reading needs of a `Path`, and no more."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leadscore.errors import DataError
from leadscore.sealed import digest_of

__all__ = ["RemoteFile", "find_remote", "is_url", "stamp_of"]

# What file systems say of a file that changes with its content.
CHANGES = ("ETag", "etag", "md5", "md5Hash", "crc32c", "generation", "checksum", "version_id")
TIMES = ("mtime", "LastModified", "last_modified", "updated", "created")
UNKNOWN = 2**63 - 1  # a time that never passes


@dataclass(frozen=True)
class RemoteFile:
    """A file behind a URL."""

    url: str

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.url.rpartition("/")[2]

    def absolute(self) -> "RemoteFile":
        """Return the file itself."""
        return self

    def __str__(self) -> str:
        return self.url

    def open(self, mode: str = "rb") -> Any:
        """Open the file; each of its bytes can be sought."""
        file_system, path = _at(self.url)
        return file_system.open(path, mode)

    def info(self) -> Mapping[str, Any]:
        """Return what the file system says of it.

        Raises
        ------
        OSError
            When it is not there, or nobody answers.
        """
        file_system, path = _at(self.url)
        found: Mapping[str, Any] = file_system.info(path)
        return found


def is_url(path: str | None) -> bool:
    """Return whether a path is a URL, such as `s3://bucket/log`."""
    return "://" in (path or "")


def find_remote(url: str, key: str) -> list[RemoteFile]:
    """Return the Parquet files that a URL names: itself, those of a folder, or those that match a glob.

    Parameters
    ----------
    url : str
    key : str
        `data.leads` or `data.events`, for messages.

    Raises
    ------
    DataError
        Nothing there, no access, no package for such URLs, or files of another kind.
    """
    try:
        file_system, path = _at(url)
        if any(sign in path for sign in "*?["):
            found = file_system.glob(path)
        elif file_system.isdir(path):
            found = file_system.ls(path, detail=False)
        else:
            found = [path] if file_system.exists(path) else []
        files = sorted((RemoteFile(file_system.unstrip_protocol(each)) for each in found), key=str)
    except Exception as error:  # each file system has errors of its own
        said = str(error).splitlines()[0] if str(error) else ""
        raise DataError(f"{key}.path {url} cannot be looked at ({type(error).__name__}: {said})") from error
    files = [each for each in files if not each.name.startswith((".", "_"))]
    if not files:
        raise DataError(f"{key}.path {url}: nothing is there")
    others = [each.name for each in files if not each.name.lower().endswith(".parquet")]
    if others:
        raise DataError(
            f"{key}.path {url}: {others[0]} is no Parquet file, and behind a URL only Parquet is read; name the files "
            f"by a glob, such as {url.rstrip('/')}/*.parquet"
        )
    return files


def _at(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise DataError(f"{url} is a URL, and reading those needs fsspec: pip install 'leadscore[dask]'") from None
    file_system, path = url_to_fs(url)
    return file_system, str(path)


def stamp_of(path: Path | RemoteFile) -> tuple[int, ...]:
    """Return a file's size, the time of its last change, and what else changes with it."""
    if isinstance(path, Path):
        status = path.stat()
        return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev
    info = path.info()
    known = {name: str(info[name]) for name in (*CHANGES, *TIMES) if info.get(name) is not None}
    return int(info["size"]), 0 if known else UNKNOWN, int(digest_of(known)[:15], 16)
