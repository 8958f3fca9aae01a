"""What the statistics return: an interval, a test, each with the reason where there is none."""

from dataclasses import asdict, dataclass
from typing import Any

__all__ = ["AucTest", "Interval", "PairTest"]


@dataclass(frozen=True)
class Interval:
    """A value and its confidence interval.

    Attributes
    ----------
    value : float or None
        The estimate; None where it is undefined.
    low, high : float or None
        Both None where there is no interval; `reason` says why.
    level : float
        0.95 for a 95% interval.
    method : str
        In words.
    n, positives, leads : int
        Rows, rows that converted, and different leads.
    reason : str or None
    resamples, seed, undefined : int or None
        Of a bootstrap; `undefined` counts the resamples in which the metric had no value.
    """

    value: float | None
    low: float | None
    high: float | None
    level: float
    method: str
    n: int
    positives: int
    leads: int
    reason: str | None = None
    resamples: int | None = None
    seed: int | None = None
    undefined: int | None = None

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class AucTest:
    """A test of two AUCs, of B against A.

    Attributes
    ----------
    auc_a, auc_b, difference : float
        `difference` is B minus A.
    se, statistic, p, low, high : float or None
        Standard error of the difference, its ratio to it (z, or Welch's t with `df`), p-value, interval.
        None where the test is degenerate; `reason` says why.
    level : float
    alternative : {"two-sided", "greater", "less"}
        "greater": B's AUC is greater.
    method : str
        In words.
    df : float or None
        Degrees of freedom, for Welch's t.
    """

    auc_a: float
    auc_b: float
    difference: float
    se: float | None
    statistic: float | None
    p: float | None
    low: float | None
    high: float | None
    level: float
    alternative: str
    method: str
    df: float | None = None
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class PairTest:
    """A test statistic with its p-value; `reason` says why there is none."""

    statistic: float | None
    p: float | None
    method: str
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)
