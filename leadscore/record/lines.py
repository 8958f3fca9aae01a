"""Appending to a file that many processes share: locked, one write a row, torn tails mended."""

import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from leadscore.errors import RecordError

__all__ = [
    "LOCK_SECONDS",
    "POLL_SECONDS",
    "append_json",
    "append_whole",
    "appending",
    "mend_tail",
    "read_json_rows",
    "write_whole",
]

log = logging.getLogger(__name__)
LOCK_SECONDS = 60
POLL_SECONDS = 0.005  # a row takes a millisecond: whoever waits looks again soon


def append_whole(file: Any, content: bytes) -> None:
    """Write in one call and take back a short write: a full disk must not leave half a row."""
    end = file.seek(0, os.SEEK_END)
    try:
        written = os.write(file.fileno(), content)
    except OSError:
        file.truncate(end)
        raise
    if written != len(content):
        file.truncate(end)
        raise RecordError(f"{file.name}: only {written} of {len(content)} bytes could be written; the disk is full")
    os.fsync(file.fileno())


def write_whole(path: Path, content: bytes) -> None:
    """Write a file aside and put it in place by one rename: whoever reads it sees the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "wb", opener=_not_for_all) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _not_for_all(path: str, flags: int) -> int:
    """Open a file that not everybody may write, whatever the umask is."""
    return os.open(path, flags, 0o664)


def mend_tail(path: Path, file: Any, is_row: Callable[[bytes], bool]) -> None:
    """Make the file end with a newline: a whole row without one gets it, half a row goes to `FILE.torn`."""
    if not file.seek(0, os.SEEK_END) or _last_byte(file) == b"\n":
        return  # the usual case, whatever the file's length
    file.seek(0)
    content = file.read()
    whole = content.rfind(b"\n") + 1
    if is_row(content[whole:]):
        append_whole(file, b"\n")  # an editor took it away
        return
    with Path(f"{path}.torn").open("ab") as aside:
        aside.write(content[whole:] + b"\n")
    file.truncate(whole)


def _last_byte(file: Any) -> bytes:
    file.seek(-1, os.SEEK_END)
    return bytes(file.read(1))


@contextmanager
def appending(path: Path) -> Iterator[BinaryIO]:
    """Open a file of JSON rows for this process alone, its tail mended.

    Raises
    ------
    RecordError
        When it cannot be locked or written. Earlier rows stay as they were.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(f"{path}.lock", timeout=LOCK_SECONDS)
        with lock.acquire(poll_interval=POLL_SECONDS), open(path, "a+b", opener=_not_for_all) as file:
            mend_tail(path, file, lambda line: _row(line) is not None)
            yield file
    except Timeout:
        raise RecordError(f"{path} stayed locked by another run for {LOCK_SECONDS} s") from None
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}; tracking.root decides") from None


def append_json(file: Any, row: Mapping[str, Any]) -> None:
    """Append one row to a file that `appending` opened."""
    append_whole(file, json.dumps(row, ensure_ascii=False, allow_nan=False).encode() + b"\n")


def read_json_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows, oldest first; an absent file has none.

    A line that is no row is passed over with a warning, what a writer has not finished without one.
    """
    if not path.is_file():
        return []
    rows = []
    *lines, unfinished = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, 1):
        row = _row(line)
        if row is not None:
            rows.append(row)
        elif line:
            log.warning("%s, line %d is damaged; passed over", path, number)
    last = _row(unfinished)
    return rows if last is None else [*rows, last]


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None
