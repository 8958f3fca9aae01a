"""A folder under seal: its manifest has the size and sha256 of every file, so that damage is seen before use."""

import hashlib
import json
import os
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = [
    "MANIFEST",
    "Entry",
    "check",
    "digest_of",
    "file_hash",
    "mark_used",
    "read_entry",
    "seal",
    "source_hash",
    "zone_rules",
]

MANIFEST = "manifest.json"
Stamp = tuple[str, int, int, int, str]
_right: set[Stamp] = set()  # path, size, mtime, inode, sha256 of files that this process has read and found right


@dataclass(frozen=True)
class Entry:
    """One sealed folder, `KIND/KEY`.

    Attributes
    ----------
    kind, key : str
    size : int
        Bytes.
    used, made : datetime
        In UTC. `used` is when it was last found or made.
    what : str
        One line about it.
    """

    kind: str
    key: str
    size: int
    used: datetime
    made: datetime
    what: str


def digest_of(value: Any) -> str:
    """Return the sha256 (64 hex) of a value's JSON; the order of a mapping's keys counts.

    Examples
    --------
    >>> len(digest_of({"a": 1})), digest_of({"a": 1}) == digest_of({"a": 2})
    (64, False)
    """
    return hashlib.sha256(json.dumps(value, separators=(",", ":"), allow_nan=False).encode()).hexdigest()


def file_hash(path: Any) -> str:
    """Return the sha256 (64 hex) of the bytes of a `Path`, or of anything that opens like one."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def zone_rules(timezone: str) -> str | None:
    """Return a hash of a zone's rules as they are on this machine: governments change them."""
    for folder in zoneinfo.TZPATH:
        path = Path(folder, timezone)
        if path.is_file():
            return file_hash(path)
    try:
        return f"tzdata {version('tzdata')}"
    except PackageNotFoundError:
        return None


def source_hash(*places: str) -> str:
    """Return a hash of modules of leadscore, each a file or a folder in the package: what they made is theirs.

    Examples
    --------
    >>> source_hash("tables.py") == source_hash("tables.py", "times.py")
    False
    """
    package = Path(__file__).parent
    files = [path for place in places for path in (sorted((package / place).rglob("*.py")) or [package / place])]
    return digest_of([[path.relative_to(package).as_posix(), file_hash(path)] for path in files])


def seal(folder: Path, kind: str, key: str, what: str) -> int:
    """Write the manifest of a folder's files; return the bytes.

    Nothing is forced to the disk: what a power cut leaves half-written does not match its sha256, and is made again.
    """
    files: dict[str, tuple[int, str]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        files[path.relative_to(folder).as_posix()] = (path.stat().st_size, file_hash(path))
    made = datetime.now(UTC).isoformat(timespec="seconds")
    manifest: dict[str, Any] = {"kind": kind, "key": key, "what": what, "made": made, "files": files}
    text = json.dumps({**manifest, "digest": digest_of(manifest)}, indent=1)
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return sum(size for size, _ in files.values()) + len(text)


def check(folder: Path, *, sealed_here: bool = False) -> None:
    """Check that a folder is as it was sealed; each file is read once in a process, until it changes.

    Parameters
    ----------
    sealed_here : bool
        This process has just sealed it: only remember its files as right.

    Raises
    ------
    ValueError
        It is not; the text says why.
    OSError
        It cannot be read, or is not there.
    """
    for name, (size, digest) in _manifest(folder)["files"].items():
        path = folder / name
        status = path.lstat()
        stamp = (str(path), status.st_size, status.st_mtime_ns, status.st_ino, digest)
        if stamp in _right:
            continue
        if status.st_size != size:
            raise ValueError(f"{name} has {status.st_size:,} bytes instead of {size:,}")
        if not sealed_here and file_hash(path) != digest:
            raise ValueError(f"{name} has changed")
        _right.add(stamp)


def mark_used(folder: Path) -> None:
    """Remember that an entry was used now."""
    os.utime(folder / MANIFEST)


def read_entry(folder: Path) -> Entry:
    """Return what a folder's manifest says of it; `damaged` where it says nothing."""
    try:
        status = (folder / MANIFEST).stat()
        manifest = _manifest(folder)
    except (OSError, ValueError):
        when = datetime.fromtimestamp(folder.stat().st_mtime, UTC)
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        return Entry(folder.parent.name, folder.name, size, when, when, "damaged")
    return Entry(
        kind=folder.parent.name,
        key=folder.name,
        size=sum(size for size, _ in manifest["files"].values()) + status.st_size,
        used=datetime.fromtimestamp(status.st_mtime, UTC),
        made=datetime.fromisoformat(manifest["made"]),
        what=manifest["what"],
    )


def _manifest(folder: Path) -> Any:
    """Return an entry's manifest; ValueError where it is not what was written."""
    manifest = json.loads((folder / MANIFEST).read_bytes())
    if not isinstance(manifest, dict) or manifest.pop("digest", None) != digest_of(manifest):
        raise ValueError(f"{MANIFEST} has changed")
    if (manifest["kind"], manifest["key"]) != (folder.parent.name, folder.name):
        raise ValueError(f"it was {manifest['kind']} {manifest['key'][:8]}")
    return manifest
