r"""`experiments.csv`: one row a run, an index over the run folders.

Many processes append to it: each takes the lock, writes header and row in one call, and lets go. A row is one line of
the file, whatever its cells hold, so what a killed writer left of one can be told from a row. Text that a spreadsheet
would run as a formula gets a leading apostrophe, and text of several lines has them escaped behind `'\`; `read_rows`
takes both away again.
"""

import csv
import io
import json
import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from leadscore.errors import RecordError
from leadscore.record.lines import LOCK_SECONDS, POLL_SECONDS, append_whole, mend_tail

__all__ = [
    "COLUMNS",
    "LOG",
    "append_row",
    "cells_of",
    "check_log",
    "content_of",
    "locked",
    "original",
    "read_cells",
    "read_rows",
    "safe_text",
]

logger = logging.getLogger(__name__)
LOG = "experiments.csv"
COLUMNS = (
    "timestamp",
    "config_hash",
    "auc",
    "precision_at_0_8_recall",
    "notes",
    "run_id",
    "identity",
    "status",
    "model",
    "features",
    "validation_hash",
    "metrics_json",
)
LONGEST_CELL = 2**31 - 1  # csv's own limit of 128 KiB would make one long cell hide the whole log


def _line(cells: Sequence[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode(errors="backslashreplace")  # a lone surrogate is no reason to lose a row


HEADER = _line(COLUMNS)
# What spreadsheets take for the start of a formula, and the apostrophe itself so that it can be undone.
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")
_ESCAPED = "'\\"  # starts a text whose line ends are written as \n and \r
_ESCAPES = {"\\": "\\\\", "\n": "\\n", "\r": "\\r"}
_UNESCAPES = {escaped: text for text, escaped in _ESCAPES.items()}


def append_row(log: Path, row: Mapping[str, Any]) -> None:
    """Append one row.

    Parameters
    ----------
    log : Path
        The CSV; made, with its header, when absent.
    row : mapping
        A value for each of `COLUMNS`; None is an empty cell. Numbers are written as they are.

    Raises
    ------
    RecordError
        When the file has another header, or cannot be locked or written. Earlier rows stay as they were.
    """
    line = _line(cells_of(row))
    with locked(log), log.open("a+b") as file:
        has_header = _check_header(log, file)
        mend_tail(log, file, _is_row)
        append_whole(file, line if has_header else HEADER + line)


@contextmanager
def locked(log: Path) -> Iterator[None]:
    """Keep every other writer out of the log.

    Raises
    ------
    RecordError
        When it stays locked, or something in it cannot be written.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{log}.lock", timeout=LOCK_SECONDS).acquire(poll_interval=POLL_SECONDS):
            yield
    except Timeout:
        raise RecordError(f"{log} stayed locked by another run for {LOCK_SECONDS} s") from None
    except OSError as error:
        raise RecordError(f"{log} cannot be written: {error.strerror}; tracking.root decides") from None


def check_log(log: Path) -> None:
    """Refuse a log that a row could not be appended to, before there is work to lose.

    Raises
    ------
    RecordError
        When it has another header, or it or its folder cannot be written.
    """
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("a+b") as file:
            _check_header(log, file)
    except OSError as error:
        raise RecordError(f"{log} cannot be written: {error.strerror}; tracking.root decides") from None


def _check_header(log: Path, file: Any) -> bool:
    """Return whether the header is there; a file that starts otherwise is somebody else's and stays as it is."""
    file.seek(0)
    first: bytes = file.readline()
    if HEADER.startswith(first):  # empty, whole, or the torn first line of a killed writer, which is mended
        return first == HEADER
    start = first[:80].decode(errors="replace").strip()
    raise RecordError(f"{log} has another header ({start}...): move it away, or set tracking.root")


def _is_row(line: bytes) -> bool:
    """Whether a line without a newline is all of a row: every cell is there and the last one, JSON, is closed."""
    try:
        with _long_cells():
            cells = next(csv.reader([line.decode()], strict=True))
        return len(cells) == len(COLUMNS) and isinstance(json.loads(cells[-1]), dict)
    except (csv.Error, ValueError):
        return False


def read_rows(log: Path) -> list[dict[str, str]]:
    """Return the log's rows, oldest first, text as it was given; an absent log has none.

    What is not a row is passed over with a warning; the row that a writer is about to finish is not seen yet.
    """
    return [{name: original(cell) for name, cell in zip(COLUMNS, cells, strict=True)} for cells in read_cells(log)]


def read_cells(log: Path) -> list[list[str]]:
    """Return the cells of the log's rows as they stand in the file, oldest first; otherwise as `read_rows`.

    Raises
    ------
    RecordError
        When the file has another header, or cannot be read.
    """
    if not log.is_file():
        return []
    try:
        with _long_cells(), log.open("rb") as file:
            if not _check_header(log, file):
                return []
            rows = list(csv.reader(_whole_lines(file)))
    except OSError as error:
        raise RecordError(f"{log} cannot be read: {error.strerror}") from None
    whole = [cells for cells in rows if len(cells) == len(COLUMNS)]
    if damaged := sum(1 for cells in rows if cells) - len(whole):
        logger.warning(
            "%s: %d damaged %s passed over; leadscore runs rebuild makes the log anew from the run folders",
            log,
            damaged,
            "row was" if damaged == 1 else "rows were",
        )
    return whole


@contextmanager
def _long_cells() -> Iterator[None]:
    """Let a cell be as long as the log's may be; the limit is the process's, so others get theirs back."""
    others = csv.field_size_limit(LONGEST_CELL)
    try:
        yield
    finally:
        csv.field_size_limit(others)


def _whole_lines(file: Iterable[bytes]) -> Iterator[str]:
    for line in file:
        if not line.endswith(b"\n"):  # the end, as far as a writer has got: what comes after it was not there yet
            if _is_row(line):
                yield line.decode()
            return
        yield line.decode(errors="replace")


def content_of(rows: Iterable[Sequence[str]]) -> bytes:
    """Return a whole log, with its header, of rows of cells."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([COLUMNS, *rows])
    return buffer.getvalue().encode(errors="backslashreplace")


def cells_of(row: Mapping[str, Any]) -> list[str]:
    """Return a row's cells as they stand in the file."""
    return [_cell(row.get(name)) for name in COLUMNS]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return float.__repr__(value)  # NumPy's own repr names its type
    if isinstance(value, int):
        return str(value)
    return safe_text(str(value))


def safe_text(text: str) -> str:
    """Return a text as a cell that no spreadsheet runs as a formula; `original` gives it back."""
    if "\n" in text or "\r" in text:
        return _ESCAPED + re.sub(r"[\\\n\r]", lambda found: _ESCAPES[found[0]], text)
    return f"'{text}" if text.startswith(_RISKY) else text


def original(cell: str) -> str:
    r"""Return the text of a cell as it was given.

    Examples
    --------
    >>> original("'=1+1"), original("plain"), original("'\\two\\nlines")
    ('=1+1', 'plain', 'two\nlines')
    """
    if not cell.startswith("'"):
        return cell
    if cell.startswith(_ESCAPED):
        return re.sub(r"\\[\\nr]", lambda found: _UNESCAPES[found[0]], cell[len(_ESCAPED) :])
    return cell[1:]
