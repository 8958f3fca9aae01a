"""`experiments.csv`: one row a run, an index over the run folders.

Many processes append to it: each takes the lock, writes header and row in one call, and lets go. Text that a
spreadsheet would run as a formula gets a leading apostrophe, which `read_rows` takes away again.
"""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from leadscore.errors import RecordError
from leadscore.record.lines import LOCK_SECONDS, append_whole, mend_tail

__all__ = ["COLUMNS", "LOG", "append_row", "check_log", "read_rows"]

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


def _line(cells: list[str]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode()


HEADER = _line(list(COLUMNS))
# What spreadsheets take for the start of a formula, and the apostrophe itself so that it can be undone.
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")


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
    line = _line([_cell(row.get(name)) for name in COLUMNS])
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{log}.lock", timeout=LOCK_SECONDS), log.open("a+b") as file:
            has_header = _check_header(log, file)
            mend_tail(log, file, _is_row)
            append_whole(file, line if has_header else HEADER + line)
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
    cells = next(csv.reader([line.decode(errors="replace")]))
    return len(cells) == len(COLUMNS) and line.endswith((b'}"', b'""'))


def read_rows(log: Path) -> list[dict[str, str]]:
    """Return the log's rows, oldest first, text as it was given; an absent log has none."""
    if not log.is_file():
        return []
    with log.open(encoding="utf-8", newline="") as file:
        return [{name: (value or "").removeprefix("'") for name, value in row.items()} for row in csv.DictReader(file)]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    return f"'{text}" if text.startswith(_RISKY) else text
