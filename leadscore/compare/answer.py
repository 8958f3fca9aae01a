"""What a verdict says, field by field."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from leadscore.compare.difference import FoldEstimate
from leadscore.compare.refit_noise import RefitNoise

__all__ = ["Answer", "Verdict"]

Answer = Literal["better", "worse", "no evidence", "not comparable", "too few positives"]


@dataclass(frozen=True)
class Verdict:
    """The answer for B against A.

    Attributes
    ----------
    answer : {"better", "worse", "no evidence", "not comparable", "too few positives"}
    text : str
        One paragraph for people.
    metric, title, direction : str
        `direction` is "higher" or "lower": where better lies.
    name_a, name_b : str
    a, b, difference : float or None
        The metric of each run, mean over seeds and folds, and B minus A.
    low, high : float or None
        The interval of the difference at `level`; it is of this one comparison, whatever the family.
    level : float
    se : float or None
        Standard error of the difference, refits included where they were checked.
    p : float or None
        Two-sided.
    p_adjusted : float or None
        After Holm, when `family` was given; the answer rests on it.
    family : int or None
        How many comparisons were made on these rows.
    best_of : int or None
        How many models B was chosen from.
    expected_by_luck : float or None
        How much better the best of so many equal models is expected to look.
    n, positives, leads : int or None
    smallest_detectable : float or None
        The true difference that data like these show with 80% power.
    method : str or None
        In words.
    differs : list of str
        Why the runs are not comparable.
    reason : str or None
        Why there is no interval.
    folds : list of FoldEstimate
    refit : RefitNoise or None
    resamples, seed : int or None
        Of the bootstrap; None for DeLong.
    notes : list of str
    """

    answer: Answer
    text: str
    metric: str
    title: str
    direction: str
    name_a: str
    name_b: str
    level: float
    a: float | None = None
    b: float | None = None
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    se: float | None = None
    p: float | None = None
    p_adjusted: float | None = None
    family: int | None = None
    best_of: int | None = None
    expected_by_luck: float | None = None
    n: int | None = None
    positives: int | None = None
    leads: int | None = None
    smallest_detectable: float | None = None
    method: str | None = None
    differs: Sequence[str] = ()
    reason: str | None = None
    folds: Sequence[FoldEstimate] = ()
    refit: RefitNoise | None = None
    resamples: int | None = None
    seed: int | None = None
    notes: Sequence[str] = ()

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
