"""How a column lay when a model was trained, so that a later batch can be laid beside it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Array = np.ndarray[Any, Any]

__all__ = ["ColumnProfile"]

LISTED = 50  # levels with a share of their own
REMEMBERED = 1_000  # rarer levels that are still known to have been seen
# A bin without rows would make the index infinite: shares below this count as this much, on both sides.
LEAST_SHARE = 1e-4


@dataclass(frozen=True)
class ColumnProfile:
    """The values of one column in training.

    Attributes
    ----------
    kind : {'number', 'category'}
    n : int
        Rows.
    missing : float
        Share of rows without a value.
    typical : float, str or None
        The median, or the most frequent level; None where every value is missing.
    edges : tuple of float
        Of numbers, rising: just below the least value, the deciles that differ, the greatest value. Bins are closed
        above: up to the first edge, between two edges, above the last.
    shares : tuple of float
        Share of all rows in each of the `len(edges) + 1` bins; with `missing` they add up to 1.
    levels : mapping of str to float
        Of categories, the share of all rows of up to 50 levels, the most frequent first.
    rare : tuple of str
        Up to 1,000 further levels, the most frequent first. What stands in neither is unseen.
    other : float
        Share of all rows with a level that is not among `levels`.
    """

    kind: str
    n: int
    missing: float
    typical: float | str | None = None
    edges: tuple[float, ...] = ()
    shares: tuple[float, ...] = ()
    levels: Mapping[str, float] = field(default_factory=dict)
    rare: tuple[str, ...] = ()
    other: float = 0.0

    @classmethod
    def of(cls, values: "pd.Series") -> Self:
        """Return the profile of a column: float64 is a number, text a category, NaN is missing.

        Examples
        --------
        >>> import pandas as pd
        >>> ColumnProfile.of(pd.Series([0.0, 0.0, 1.0, 4.0])).edges
        (-5e-324, 0.0, 1.0, 4.0)
        >>> dict(ColumnProfile.of(pd.Series(["DE", "FR", "DE", None], dtype="str")).levels)
        {'DE': 0.5, 'FR': 0.25}
        """
        import pandas as pd

        if pd.api.types.is_numeric_dtype(values.dtype):
            return cls._of_numbers(values.to_numpy(dtype="float64"))
        counts = sorted(values.value_counts().items(), key=lambda pair: (-pair[1], str(pair[0])))
        n, listed, rest = len(values), counts[:LISTED], counts[LISTED:]
        return cls(
            "category",
            n,
            _share(int(values.isna().sum()), n),
            typical=str(counts[0][0]) if counts else None,
            levels={str(level): int(count) / n for level, count in listed},
            rare=tuple(str(level) for level, _ in rest[:REMEMBERED]),
            other=_share(sum(int(count) for _, count in rest), n),
        )

    @classmethod
    def _of_numbers(cls, values: "Array") -> Self:
        import numpy as np

        known = values[~np.isnan(values)]
        if not len(known):
            return cls("number", len(values), _share(len(values), len(values)), shares=(0.0,))
        deciles = np.quantile(known, np.arange(1, 11) / 10, method="inverted_cdf")
        edges = np.unique([np.nextafter(known.min(), -np.inf), *deciles])
        counts = np.bincount(np.searchsorted(edges, known), minlength=len(edges) + 1)
        return cls(
            "number",
            len(values),
            _share(len(values) - len(known), len(values)),
            typical=float(np.median(known)),
            edges=tuple(edges.tolist()),
            shares=tuple((counts / len(values)).tolist()),
        )

    @property
    def expected(self) -> list[float]:
        """The shares of the bins of `psi`: of numbers `shares`, of categories levels, rare, unseen; then missing."""
        if self.kind == "number":
            return [*self.shares, self.missing]
        return [*self.levels.values(), self.other, 0.0, self.missing]

    def psi(self, values: Any) -> float:
        """Return the population stability index of a batch against training.

        The sum over bins of (a - e) ln(a / e), a and e being the shares of the batch and of training, at least 0.0001
        each. The bins are those of `expected`. Usual reading (Siddiqi 2006, Credit Risk Scorecards): under 0.1 no
        change to speak of, 0.1 to 0.25 some change, above 0.25 another population. A small batch reaches such values
        by chance alone: see `psi_by_chance`.

        Parameters
        ----------
        values : array-like (n,)
            Numbers or texts, as the column's kind; NaN is missing. No values: 0.

        Examples
        --------
        >>> import pandas as pd
        >>> profile = ColumnProfile.of(pd.Series([0.0, 0.0, 1.0, 4.0]))
        >>> profile.psi([0.0, 1.0, 0.0, 4.0]), round(profile.psi([4.0, 4.0, 4.0, 0.0]), 2)
        (0.0, 2.68)
        """
        return self.psi_of(self.counts(values))

    def counts(self, values: Any) -> "Array":
        """Return how many rows fall into each bin of `expected`, int64; the counts of chunks add up.

        The last bin is the missing values, and of categories the one before it the unseen levels.
        """
        import numpy as np

        return np.bincount(self._bins(values), minlength=len(self.expected))

    def psi_of(self, counts: Any) -> float:
        """Return `psi` from `counts`, for batches that are read in chunks."""
        import numpy as np

        counted = np.asarray(counts)
        if not counted.sum():
            return 0.0
        expected = np.maximum(self.expected, LEAST_SHARE)
        actual = np.maximum(counted / counted.sum(), LEAST_SHARE)
        return float(((actual - expected) * np.log(actual / expected)).sum())

    def psi_by_chance(self, n: int) -> float:
        """Return what `psi` of n rows of the same population stays below 95 times in 100.

        Of B bins that had rows in training, psi is about (1/n + 1/N) times a chi squared of B - 1 degrees of freedom
        (Yurdakul and Naranjo 2020, Journal of Risk Model Validation 14(4)).

        Examples
        --------
        >>> import pandas as pd
        >>> profile = ColumnProfile.of(pd.Series(range(1000), dtype="float64"))
        >>> round(profile.psi_by_chance(100), 3), round(profile.psi_by_chance(10_000), 3)
        (0.186, 0.019)
        """
        from scipy.special import chdtri

        bins = sum(share > 0 for share in self.expected)
        if bins < 2 or not n or not self.n:
            return 0.0
        return float(chdtri(bins - 1, 0.05)) * (1 / n + 1 / self.n)

    def missing_share(self, values: Any) -> float:
        """Return the share of rows without a value; of no rows 0."""
        import pandas as pd

        return float(pd.isna(pd.Series(values)).mean()) if len(values) else 0.0

    def unseen_share(self, values: Any) -> float:
        """Return the share of rows whose level training did not have; of numbers 0.

        Examples
        --------
        >>> import pandas as pd
        >>> ColumnProfile.of(pd.Series(["DE", "FR"], dtype="str")).unseen_share(["DE", "XX", None, "YY"])
        0.5
        """
        if self.kind == "number" or not len(values):
            return 0.0
        return float((self._bins(values) == len(self.levels) + 1).mean())

    def _bins(self, values: Any) -> "Array":
        """Return the place of each value in `expected`."""
        import numpy as np
        import pandas as pd

        if self.kind == "number":
            numbers = np.asarray(values, dtype="float64")
            return np.where(np.isnan(numbers), len(self.shares), np.searchsorted(self.edges, numbers))
        rare = len(self.levels)
        places = {**dict.fromkeys(self.rare, rare), **{level: place for place, level in enumerate(self.levels)}}
        column = values if isinstance(values, pd.Series) else pd.Series(values, dtype="object")
        codes, levels = pd.factorize(column)  # -1 is missing, and takes the last place
        of_level = np.array([*(places.get(str(each), rare + 1) for each in levels), rare + 2], dtype="int64")
        placed: Array = of_level[codes]
        return placed

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {**asdict(self), "edges": list(self.edges), "shares": list(self.shares), "rare": list(self.rare)}

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Read what `to_json` returned."""
        profile = cls(**{**saved, **{key: tuple(saved[key]) for key in ("edges", "shares", "rare")}})
        rising = all(lower < upper for lower, upper in pairwise(profile.edges))
        bins = len(profile.edges) + 1 if profile.kind == "number" else 0
        if profile.kind not in ("number", "category") or len(profile.shares) != bins or not rising:
            raise ValueError("a column's profile has other bins than its edges make")
        if not all(isinstance(level, str) for level in (*profile.levels, *profile.rare)):
            raise ValueError("a column's profile has levels that are no texts")
        if not all(0 <= share <= 1 for share in profile.expected):
            raise ValueError("a column's profile has shares that are none")
        return profile


def _share(part: int, n: int) -> float:
    return part / n if n else 0.0
