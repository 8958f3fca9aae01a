"""Making the log anew from the run folders, which are the truth that it is an index of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from leadscore.errors import RecordError
from leadscore.record.find import read_run, run_folders
from leadscore.record.lines import write_whole
from leadscore.record.log import COLUMNS, LOG, cells_of, content_of, locked, read_cells
from leadscore.record.row import INTERRUPTED, is_logged, row_of
from leadscore.record.shelf import is_at_work

__all__ = ["Rebuilt", "rebuild"]

RUN_ID, TIMESTAMP = COLUMNS.index("run_id"), COLUMNS.index("timestamp")


@dataclass
class Rebuilt:
    """What a rebuilt log is made of, in numbers of rows.

    Attributes
    ----------
    log : Path
    before : Path or None
        Where the old log is kept; None where there was none, or where nothing changed.
    rows, added, changed, kept, dropped : int
        All; those the old log did not have; those it had otherwise; those without a folder, still there or no more.
    interrupted : list of str
        The run_ids whose process died.
    at_work : list of str
        The run_ids of those that write their rows themselves.
    damaged : list of str
        Which folders could not be read, and why; with one of them no row is dropped.
    """

    log: Path
    before: Path | None = None
    rows: int = 0
    added: int = 0
    changed: int = 0
    kept: int = 0
    dropped: int = 0
    interrupted: list[str] = field(default_factory=list)
    at_work: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)


def rebuild(roots: Sequence[str | Path], *, drop_missing: bool = False) -> Rebuilt:
    """Make the log of the first root anew from the runs under all roots, and keep the old one beside it.

    Parameters
    ----------
    roots : sequence of path
        A sweep's runs lie under a root of their own and have their rows in the first one's log.
    drop_missing : bool
        Drop the old log's rows whose folder is gone.

    Raises
    ------
    RecordError
        When the log is another program's, stays locked or cannot be written; it is then as it was.
    """
    done = Rebuilt(Path(roots[0]) / LOG)
    if not any(Path(root).is_dir() for root in roots):
        raise RecordError(f"there is no folder {' or '.join(str(root) for root in roots)} to make a log from")
    with locked(done.log):
        old = {cells[RUN_ID] or str(number): cells for number, cells in enumerate(read_cells(done.log))}
        found = _found(roots, old, done)
        missing = {run_id: cells for run_id, cells in old.items() if run_id not in found}
        kept = {} if drop_missing and not done.damaged else missing
        placed = [*found.values(), *((_place(cells[TIMESTAMP], cells[RUN_ID]), cells) for cells in kept.values())]
        rows = [cells for _, cells in sorted(placed, key=lambda each: each[0])]
        done.rows, done.kept, done.dropped = len(rows), len(kept), len(missing) - len(kept)
        done.added = len(found.keys() - old.keys())
        done.changed = sum(run_id in old and old[run_id] != cells for run_id, (_, cells) in found.items())
        _replace(done, content_of(rows))
    return done


Row = tuple[tuple[datetime, str], list[str]]  # its place, and its cells


def _found(roots: Sequence[str | Path], old: dict[str, list[str]], done: Rebuilt) -> dict[str, Row]:
    """Return the row of every run under the roots by its run_id."""
    found: dict[str, Row] = {}
    for folder in dict.fromkeys(folder for root in roots for folder in run_folders(Path(root))):
        busy = is_at_work(folder)  # asked first: what is read of a run whose mark is gone is final
        try:
            run = read_run(folder)
            if busy:
                done.at_work.append(run.run_id)
                if run.run_id in old:  # it is drawing its report
                    found[run.run_id] = _place(old[run.run_id][TIMESTAMP], run.run_id), old[run.run_id]
            elif is_logged(run):
                row = row_of(run)
                ended = run.identity.get("ended") or run.identity.get("started")  # a killed run has no end
                found[run.run_id] = _place(str(ended), run.run_id), cells_of(row)
                if row["status"] == INTERRUPTED:
                    done.interrupted.append(run.run_id)
        except RecordError as error:  # one damaged folder must not hide all others
            done.damaged.append(str(error))
    return found


def _place(when: str, run_id: str) -> tuple[datetime, str]:
    """Return what sorts rows as runs write them: by their ends."""
    try:
        instant = datetime.fromisoformat(when)
    except ValueError:
        instant = datetime.min.replace(tzinfo=UTC)
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC), run_id


def _replace(done: Rebuilt, content: bytes) -> None:
    before = done.log.read_bytes() if done.log.exists() else b""
    if content == before:
        return
    if before:
        done.before = done.log.with_name(f"{LOG}.before-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}")
        write_whole(done.before, before)
    write_whole(done.log, content)
