"""What came out of a sweep, read from the run folders: each job's numbers, and the jobs that compete."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from leadscore.errors import LeadscoreError, RecordError
from leadscore.record.find import read_run
from leadscore.record.ledger import family
from leadscore.record.log import LOG, read_rows
from leadscore.sweeps.jobs import Job

if TYPE_CHECKING:
    from leadscore.compare import Scores

__all__ = ["Group", "Luck", "Measured", "grouped", "luck", "measured", "measured_in_log"]

A_SWEEP = 3  # runs on the same rows, from which on the best of them is a winner


@dataclass(frozen=True)
class Measured:
    """A run's numbers.

    Attributes
    ----------
    auc, low, high : float or None
        Its AUC and the 95% interval.
    precision : float or None
        At 0.8 recall.
    validation_hash : str
        Runs that share it compete.
    horizon : str
    rows, positives : int
        That it was measured on.
    identity, data_hash : str
    """

    auc: float | None
    low: float | None
    high: float | None
    precision: float | None
    validation_hash: str
    horizon: str
    rows: int
    positives: int
    identity: str
    data_hash: str


def measured(folder: Path) -> Measured:
    """Return the numbers of the run in a folder.

    Raises
    ------
    RecordError
        When a file of it is missing or damaged.
    """
    run = read_run(folder)
    try:
        metrics = run.metrics
        interval = metrics["intervals"].get("auc") or {}
        return Measured(
            auc=metrics["metrics"].get("auc"),
            low=interval.get("low"),
            high=interval.get("high"),
            precision=metrics["metrics"].get("precision_at_0_8_recall"),
            validation_hash=run.identity["validation_hash"],
            horizon=run.windows["horizon"],
            rows=sum(fold["n"] for fold in metrics["folds"]),
            positives=sum(fold["positives"] for fold in metrics["folds"]),
            identity=run.identity["identity"],
            data_hash=run.identity["data_hash"],
        )
    except (AttributeError, KeyError, TypeError) as error:
        said = f"{type(error).__name__}: {error}"
        raise RecordError(f"{folder}: its files are not as a run leaves them ({said})") from None


def measured_in_log(root: Path, run_id: str) -> Measured:
    """Return what the log has of a run whose folder is gone.

    Raises
    ------
    RecordError
        When its row is damaged.
    """
    row = next(row for row in reversed(read_rows(root / LOG)) if row["run_id"] == run_id)
    try:
        more = json.loads(row["metrics_json"])
        auc, precision = (float(row[name]) if row[name] else None for name in ("auc", "precision_at_0_8_recall"))
        of_rows = (row["validation_hash"], "?", int(more["n"]), int(more["positives"]))
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(f"{root / LOG}: the row of run {run_id} is damaged ({error})") from None
    return Measured(auc, None, None, precision, *of_rows, row["identity"], "")


@dataclass(frozen=True)
class Luck:
    """What choosing the best of many is worth.

    Attributes
    ----------
    tried : int
        Runs that were measured on the rows, by whatever command.
    luck : float or None
        How much better than one of them the best of so many equal ones would look, in AUC.
    """

    tried: int
    luck: float | None


@dataclass(frozen=True)
class Group:
    """The jobs that were measured on the same rows, the best first."""

    validation_hash: str
    horizon: str
    rows: int
    positives: int
    jobs: list[tuple[Job, Measured]]

    @property
    def best(self) -> tuple[Job, Measured]:
        """The one with the highest AUC."""
        return self.jobs[0]


def grouped(results: Sequence[tuple[Job, Measured]]) -> list[Group]:
    """Return the groups, in the order of their first jobs."""
    by_rows: dict[str, list[tuple[Job, Measured]]] = {}
    for job, found in results:
        by_rows.setdefault(found.validation_hash, []).append((job, found))
    groups = []
    for name, members in by_rows.items():
        first = members[0][1]
        ordered = sorted(members, key=lambda each: (each[1].auc is None, -(each[1].auc or 0.0), each[0].number))
        groups.append(Group(name, first.horizon, first.rows, first.positives, ordered))
    return groups


def luck(group: Group, root: Path) -> Luck:
    """Return how many runs were tried on a group's rows, and what luck alone gives the best of them.

    The best is compared with the middle one of the group: how far equal models differ on these rows is taken from it.

    Parameters
    ----------
    group : Group
    root : Path
        With the ledger, which knows earlier runs too.
    """
    from leadscore.compare import expected_gain_by_luck, verdict

    tried = max(family(root, group.validation_hash), len(group.jobs))
    runs = [job for job, found in group.jobs if found.auc is not None and job.folder is not None]
    if tried < A_SWEEP or len(runs) < 2:
        return Luck(tried, None)
    best, middle = runs[0], runs[max(1, len(runs) // 2)]
    try:
        se = verdict(_scores(middle), _scores(best)).se
    except LeadscoreError:
        se = None
    return Luck(tried, None if se is None else expected_gain_by_luck(tried, se))


def _scores(job: Job) -> "Scores":
    from leadscore.compare import Scores

    assert job.folder is not None
    run = read_run(job.folder)
    return Scores(run.predictions, run.windows["horizon"], name=run.run_id)
