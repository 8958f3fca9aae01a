"""Bands A to D: where a probability is cut, and what each band converted when it was looked at."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Self

__all__ = ["BANDS", "Bands", "Promise"]

BANDS = ("A", "B", "C", "D")


@dataclass(frozen=True)
class Promise:
    """What a band converted on validation rows.

    Attributes
    ----------
    band : str
    n, leads, positives : int
        Validation rows in it, the leads that they are of, and rows that converted.
    share : float
        Of all validation rows.
    rate, low, high : float or None
        The share that converted, and its 95% interval; None without a row.
    """

    band: str
    n: int
    leads: int
    positives: int
    share: float
    rate: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Bands:
    """Four bands of probability.

    Attributes
    ----------
    cut : str
        How they were cut: `bands.cut`.
    cuts : tuple of float
        The least probability of A, of B and of C, never rising; what is below is D.
    n_cut : int
        Rows of the inner fold whose scores placed the cuts; 0 where the config or the base rate did.
    promises : tuple of Promise
        A to D.
    """

    cut: str
    cuts: tuple[float, float, float]
    n_cut: int = 0
    promises: tuple[Promise, ...] = ()

    def of(self, probability: Any) -> Any:
        """Return the band of each probability, an array of str (n,).

        Examples
        --------
        >>> Bands("probability", (0.6, 0.3, 0.1)).of([0.6, 0.59, 0.1, 0.0]).tolist()
        ['A', 'B', 'C', 'D']
        """
        import numpy as np

        below = np.searchsorted(-np.asarray(self.cuts), -np.asarray(probability, dtype="float64"), side="left")
        return np.array(BANDS)[below]

    @property
    def least(self) -> dict[str, float]:
        """The least probability of each band."""
        return dict(zip(BANDS, (*self.cuts, 0.0), strict=True))

    @property
    def notes(self) -> list[str]:
        """What the promises do not keep: neighbours that these rows cannot tell apart, bands without a row."""
        told = [f"band {each.band} has no validation row: it promises nothing" for each in self.promises if not each.n]
        kept = [each for each in self.promises if each.n]
        overlapping = [f"{upper.band} and {lower.band}" for upper, lower in pairwise(kept) if _overlap(upper, lower)]
        if overlapping:
            told.append(
                f"the intervals of bands {', '.join(overlapping)} overlap: {sum(each.n for each in kept):,} validation "
                f"rows do not tell these neighbours apart"
            )
        return told

    def with_promises(self, promises: Sequence[Promise]) -> Self:
        """Return the same cuts with what they promise."""
        return type(self)(self.cut, self.cuts, self.n_cut, tuple(promises))

    def to_json(self) -> dict[str, Any]:
        """Return cuts, promises and notes as JSON values."""
        promises = [asdict(band) for band in self.promises]
        return {"cut": self.cut, "cuts": list(self.cuts), "n_cut": self.n_cut, "bands": promises, "notes": self.notes}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Read what `to_json` returned."""
        first, second, third = (float(each) for each in saved["cuts"])
        if not 1 >= first >= second >= third >= 0:
            raise ValueError(f"the cuts of the bands are no falling probabilities: {first}, {second}, {third}")
        promises = tuple(Promise(**band) for band in saved["bands"])
        return cls(saved["cut"], (first, second, third), saved["n_cut"], promises)


def _overlap(upper: Promise, lower: Promise) -> bool:
    assert upper.low is not None
    assert lower.high is not None
    return upper.low <= lower.high
