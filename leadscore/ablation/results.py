"""What an ablation found, as values and in words."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from leadscore.compare import Verdict

__all__ = ["Ablation", "Measured", "Worth"]

ALPHA = 0.05


@dataclass(frozen=True)
class Measured:
    """One variant against what it is compared with, on the same validation rows.

    Attributes
    ----------
    auc : float or None
        Of the variant.
    difference, low, high : float or None
        The variant's AUC minus the other's, with its paired 95% interval, which knows of this comparison alone.
    p, p_adjusted : float or None
        Two-sided; and after Holm.
    answer : str
        `better`, `worse`, `no evidence`, as the adjusted p says, or `too few positives`.
    smallest_detectable : float or None
        The difference that leads like these show four times in five.
    """

    auc: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_adjusted: float | None
    answer: str
    smallest_detectable: float | None

    @classmethod
    def of(cls, found: Verdict, p_adjusted: float | None) -> "Measured":
        """Return a comparison judged by its adjusted p."""
        answer = str(found.answer)
        if p_adjusted is not None and found.difference is not None:
            told = p_adjusted < ALPHA and found.difference != 0
            answer = ("better" if found.difference > 0 else "worse") if told else "no evidence"
        sure = found.difference, found.low, found.high, found.p
        return cls(found.b, *sure, p_adjusted, answer, found.smallest_detectable)


@dataclass(frozen=True)
class Worth:
    """What one feature, or one set, is worth.

    Attributes
    ----------
    name : str
    columns : list of str
    without : Measured or None
        All features but it, against all; None where the model cannot be fitted so.
    alone : Measured or None
        It alone, against no feature at all: the base rate for everyone, an AUC of 0.5.
    reasons : list of str
        Why something is not measured, or what else had to go.
    """

    name: str
    columns: list[str]
    without: Measured | None
    alone: Measured | None
    reasons: list[str]

    @property
    def sentence(self) -> str:
        """What the numbers say of it."""
        without, alone = (each.answer if each else None for each in (self.without, self.alone))
        if without == "worse":
            return "worth keeping"
        if without == "better":
            return "the model is better without it"
        if without is None:
            return "not measured"
        if without == "too few positives":
            return "too few conversions to tell"
        told = " (alone it tells something)" if alone == "better" else ""
        return f"no evidence that it adds anything{told}"

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**asdict(self), "sentence": self.sentence}


@dataclass(frozen=True)
class Ablation:
    """What the features of a run are worth on its leads.

    Attributes
    ----------
    run_id : str
    by : {"feature", "set"}
    model : str
    auc : float
        With all features.
    n, leads, positives, folds, seeds : int
        Validation rows, their leads, how many converted, folds, and fits of each.
    worths : list of Worth
        Most worth first.
    comparisons : int
        That Holm's adjustment was made for.
    earlier : int
        Other looks at these rows, which it counts too.
    looks : int
        Variants that were measured here for the first time.
    method : str or None
    refits : str or None
        What is known of the noise of a refit.
    notes : list of str
    """

    run_id: str
    by: str
    model: str
    auc: float | None
    n: int | None
    leads: int | None
    positives: int | None
    folds: int
    seeds: int
    worths: Sequence[Worth]
    comparisons: int
    earlier: int
    looks: int
    method: str | None
    refits: str | None
    notes: Sequence[str]

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**asdict(self), "worths": [each.to_json() for each in self.worths], "notes": list(self.notes)}
