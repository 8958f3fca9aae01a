"""`ledger.jsonl`: one row for each run that measured anything, so that looks at the same rows can be counted.

It is no index of folders: rows stay when folders, or the log's rows, are pruned, and a run that no tracker hears of
(`tracking=none`) is counted all the same.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leadscore.record.lines import append_json, appending, read_json_rows

__all__ = ["LEDGER", "check_ledger", "enter", "family", "read_ledger"]

LEDGER = "ledger.jsonl"


def check_ledger(root: Path) -> None:
    """Refuse a root in which a run could not be entered, before there is work to lose.

    Raises
    ------
    RecordError
    """
    with appending(root / LEDGER):
        pass


def enter(root: Path, identity: Mapping[str, Any], validation_hash: str, status: str) -> None:
    """Append one run's row.

    Parameters
    ----------
    root : Path
        `tracking.root`, whatever `tracking` is.
    identity : mapping
        Its `run_id` and `identity`.
    validation_hash : str
        Of the rows it was measured on.
    status : str
        `evaluated`, or `confirmed` for a look at sealed rows.

    Raises
    ------
    RecordError
        When the file cannot be locked or written.
    """
    row = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "run_id": identity["run_id"],
        "identity": identity.get("identity"),
        "validation_hash": validation_hash,
        "status": status,
    }
    with appending(root / LEDGER) as file:
        append_json(file, row)


def read_ledger(root: Path) -> list[dict[str, Any]]:
    """Return the rows, oldest first: time, run_id, identity, validation_hash, status."""
    return read_json_rows(root / LEDGER)


def family(root: Path, validation_hash: str) -> int:
    """Return how many runs were measured on the rows that `validation_hash` names.

    Examples
    --------
    >>> family(Path("no such folder"), "e" * 64)
    0
    """
    return len({row.get("run_id") for row in read_ledger(root) if row.get("validation_hash") == validation_hash})
