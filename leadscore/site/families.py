"""Runs that were measured on the same rows, sweeps among them, and what luck alone gives to the best of so many."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from leadscore.errors import LeadscoreError
from leadscore.record.find import Run
from leadscore.record.ledger import read_ledger
from leadscore.site.rows import Listed

__all__ = ["Family", "Group", "families", "gain_by_luck", "groups", "looks_at"]

A_CHOICE = 3  # runs, from which on the best of them is a winner
Luck = Callable[[Listed, Listed, int], float | None]


@dataclass(frozen=True)
class Family:
    """Measured runs on the same validation rows, the highest AUC first.

    Attributes
    ----------
    runs : sequence of Listed
    looks : int
        How many runs were ever measured on these rows, deleted ones among them.
    luck : float or None
        How much better than one of them the best of so many equal models is expected to look.
    """

    runs: Sequence[Listed]
    looks: int
    luck: float | None

    @property
    def best(self) -> Listed:
        """The run with the highest AUC."""
        return self.runs[0]

    @property
    def middle(self) -> Listed:
        """The run in the middle, one that nobody chose."""
        return self.runs[len(self.runs) // 2]

    @property
    def lead(self) -> float:
        """How much the best one's AUC is above the middle one's."""
        assert self.best.auc is not None
        assert self.middle.auc is not None
        return self.best.auc - self.middle.auc


@dataclass(frozen=True)
class Group:
    """What stands together in the index: a sweep with its jobs, or one run.

    Attributes
    ----------
    sweep : str
        Its folder, "" for a run of its own.
    runs : sequence of Listed
        The latest first.
    family : Family or None
        Of a sweep: its runs on the same rows, of several such sets the largest; None under three.
    sets : int
        How many sets of validation rows its measured runs have.
    """

    sweep: str
    runs: Sequence[Listed]
    family: Family | None
    sets: int


def looks_at(roots: Sequence[Path], rows: Iterable[Listed]) -> dict[str, int]:
    """Return how many runs were measured on each set of rows, by its `validation_hash`."""
    seen: dict[str, set[str]] = defaultdict(set)
    for root in roots:
        for entry in read_ledger(root):
            seen[str(entry.get("validation_hash"))].add(str(entry.get("run_id")))
    for row in rows:
        if row.is_measured:
            seen[row.validation_hash].add(row.run_id)
    return {each: len(runs) for each, runs in seen.items()}


def families(rows: Iterable[Listed], looks: Mapping[str, int], luck: Luck) -> list[Family]:
    """Return the families of three runs and more, the largest first."""
    found = [_family(runs, looks[each], luck) for each, runs in _by_rows(rows).items()]
    chosen = [each for each in found if each is not None]
    return sorted(chosen, key=lambda each: (-len(each.runs), each.best.validation_hash))


def groups(rows: Sequence[Listed], luck: Luck) -> list[Group]:
    """Return the runs as the index shows them: `rows` come the latest first, a sweep stands where its latest does."""
    together: dict[str, list[Listed]] = defaultdict(list)
    for row in rows:
        together[row.sweep or row.run_id].append(row)
    return [_group(runs, luck) for runs in together.values()]


def _group(runs: list[Listed], luck: Luck) -> Group:
    sets = sorted(_by_rows(runs).values(), key=len, reverse=True) if runs[0].sweep else []
    return Group(runs[0].sweep, runs, _family(sets[0], len(sets[0]), luck) if sets else None, len(sets))


def _by_rows(rows: Iterable[Listed]) -> dict[str, list[Listed]]:
    found: dict[str, list[Listed]] = defaultdict(list)
    for row in rows:
        if row.is_measured and row.validation_hash:
            found[row.validation_hash].append(row)
    return found


def _family(runs: Sequence[Listed], looks: int, luck: Luck) -> Family | None:
    if len(runs) < A_CHOICE:
        return None
    ordered = sorted(runs, key=lambda row: (-(row.auc or 0.0), row.run_id))
    return Family(ordered, looks, luck(ordered[0], ordered[len(ordered) // 2], looks))


def gain_by_luck(best: Run, other: Run, models: int) -> float | None:
    """Return how much better the best of so many equal models looks, by how two of them differ; None when unknown."""
    from leadscore.compare import Scores, expected_gain_by_luck, verdict

    try:
        found = verdict(*(Scores(run.predictions, run.windows["horizon"]) for run in (other, best)))
        return expected_gain_by_luck(models, found.se) if found.se else None
    except (LeadscoreError, KeyError):  # a run whose predictions are gone, or are not as a run leaves them
        return None
