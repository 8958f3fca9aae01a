"""Deleting old run folders: never the champion's, never one at work, never what lies outside the roots.

A run's rows in the log and in the ledger stay: that it was made is no less true.
"""

import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from leadscore.errors import RecordError
from leadscore.record.champion import HISTORY
from leadscore.record.find import Run, read_run, run_folders
from leadscore.record.lines import read_json_rows
from leadscore.record.row import INTERRUPTED
from leadscore.record.shelf import is_at_work

__all__ = ["STATUSES", "Prunable", "Wanted", "delete", "leftovers", "protected_runs", "prunable"]

PRUNED = ".pruned-"  # starts the name of a folder that is being deleted; no hidden folder is ever listed
STATUSES = ("done", "failed", "cancelled", INTERRUPTED)


@dataclass(frozen=True)
class Wanted:
    """Which runs are to go: those that every given rule lets go.

    Attributes
    ----------
    keep : int or None
        Not the latest so many of those with a status in `statuses`.
    older_than : timedelta or None
        Only those that started longer ago.
    statuses : sequence of str
        Only those that ended so; empty for all.
    """

    keep: int | None = None
    older_than: timedelta | None = None
    statuses: Sequence[str] = ()


@dataclass(frozen=True)
class Prunable:
    """A run to delete, or one that the rules would let go and that stays for the reason given."""

    run: Run
    status: str
    size: int
    reason: str = ""


def protected_runs(root: Path) -> set[str]:
    """Return the run_ids that are, or once were, champion under a root.

    Raises
    ------
    RecordError
        When a line of the history is damaged: it may be the one that names the champion.
    """
    path = root / HISTORY
    if not path.is_file():
        return set()
    lines = sum(1 for line in path.read_bytes().split(b"\n") if line.strip())
    rows = read_json_rows(path)
    if len(rows) != lines:
        raise RecordError(
            f"{path}: {lines - len(rows)} of {lines} lines cannot be read, and one of them may name the champion; "
            f"nothing is pruned until that is mended"
        )
    return {str(row["run_id"]) for row in rows if row.get("run_id")}


def prunable(roots: Sequence[Path], wanted: Wanted) -> list[Prunable]:
    """Return the runs that the rules let go, oldest first, those that stay all the same with their reasons.

    Raises
    ------
    RecordError
        When the champion's history is damaged.
    """
    folders = list({os.path.realpath(folder): folder for root in roots for folder in run_folders(root)}.values())
    busy = {folder for folder in folders if is_at_work(folder)}  # asked first: what is read of the others is final
    runs = sorted(_runs(folders), key=lambda run: (str(run.identity.get("started")), run.run_id), reverse=True)
    ended = [(run, _status(run)) for run in runs if run.folder not in busy]
    if wanted.statuses:
        ended = [(run, status) for run, status in ended if status in wanted.statuses]
    going = [(run, status) for run, status in ended[wanted.keep or 0 :] if _is_older(run, wanted.older_than)]
    reason = _reasons(roots, folders, [run for run, _ in going])
    return [Prunable(run, status, _size(run.folder), reason(run)) for run, status in reversed(going)]


def _runs(folders: Sequence[Path]) -> list[Run]:
    runs = []
    for folder in folders:
        try:
            runs.append(read_run(folder))
        except RecordError:  # who knows whose it is
            continue
    return runs


def _status(run: Run) -> str:
    status = str(run.identity.get("status"))
    return INTERRUPTED if status == "running" else status


def _is_older(run: Run, length: timedelta | None) -> bool:
    if length is None:
        return True
    try:
        started = datetime.fromisoformat(str(run.identity.get("started")))
        return datetime.now(UTC) - started > length
    except (TypeError, ValueError):  # of unknown age
        return False


def _reasons(roots: Sequence[Path], folders: Sequence[Path], runs: Sequence[Run]) -> Callable[[Run], str]:
    """Return what says why a run stays, empty for one that may go."""
    recorded = {Path(str(root)) for run in runs if (root := _tracking_root(run))}
    champions = set().union(*(protected_runs(root) for root in {*roots, *recorded}))
    holders = {above for folder in folders for above in Path(os.path.realpath(folder)).parents}
    for real in (Path(os.path.realpath(root)) for root in roots):
        holders |= {real, *real.parents}

    def reason(run: Run) -> str:
        if run.run_id in champions:
            return "it is or was champion"
        if Path(os.path.realpath(run.folder)) in holders:
            return "another run, or a whole root, lies in its folder"
        return ""

    return reason


def _tracking_root(run: Run) -> str | None:
    """Return where the run's champion would be kept, which for a sweep's run is another root than its own."""
    try:
        tracking = run.config.get("tracking")
    except RecordError:
        return None
    return tracking.get("root") if isinstance(tracking, dict) else None


def _size(folder: Path) -> int:
    return sum((Path(path) / name).lstat().st_size for path, _, files in os.walk(folder) for name in files)


def delete(folder: Path) -> None:
    """Delete a run's folder; it is gone from every list before the first of its files is.

    Raises
    ------
    RecordError
    """
    aside = folder.with_name(f"{PRUNED}{folder.name}-{secrets.token_hex(4)}")
    try:
        if is_at_work(folder) or folder.is_symlink():
            raise RecordError(f"{folder} is at work again, or is a link now: it stays")
        folder.rename(aside)
        shutil.rmtree(aside)
    except OSError as error:
        raise RecordError(f"{folder} cannot be deleted: {error.strerror}") from None


def leftovers(roots: Sequence[Path]) -> list[Path]:
    """Return what earlier deletions, killed half-way, have left under the roots."""
    return [
        Path(path) / name
        for root in roots
        for path, folders, _ in os.walk(root)
        for name in folders
        if name.startswith(PRUNED)
    ]
