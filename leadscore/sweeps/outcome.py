"""What came out of a sweep, read from the run folders: each job's numbers, and the jobs that compete."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.errors import LeadscoreError, RecordError
from leadscore.record.find import read_run
from leadscore.record.ledger import family
from leadscore.sweeps.jobs import Job

if TYPE_CHECKING:
    from leadscore.compare import Scores

__all__ = ["Group", "Measured", "grouped", "luck", "measured"]

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


def luck(group: Group, root: Path) -> dict[str, Any] | None:
    """Return how many runs were tried on a group's rows, and how much better than one of them the best would look.

    The best is compared with the middle one of the group: how much equal models differ on these rows is theirs.

    Parameters
    ----------
    group : Group
    root : Path
        With the ledger, which knows earlier runs too.

    Returns
    -------
    dict or None
        `tried`, `gain`; None where too few were tried, or nothing can be said.
    """
    from leadscore.compare import expected_gain_by_luck, verdict

    tried = max(family(root, group.validation_hash), len(group.jobs))
    runs = [job for job, found in group.jobs if found.auc is not None and job.folder is not None]
    if tried < A_SWEEP or len(runs) < 2:
        return None
    best, middle = runs[0], runs[max(1, len(runs) // 2)]
    try:
        se = verdict(_scores(middle), _scores(best)).se
    except LeadscoreError:
        return None
    return None if se is None else {"tried": tried, "gain": expected_gain_by_luck(tried, se)}


def _scores(job: Job) -> "Scores":
    from leadscore.compare import Scores

    assert job.folder is not None
    run = read_run(job.folder)
    return Scores(run.predictions, run.windows["horizon"], name=run.run_id)
