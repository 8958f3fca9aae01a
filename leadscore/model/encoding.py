"""How one column becomes numbers for a linear model; everything is learned from the training rows alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd

from leadscore.errors import ModelError
from leadscore.model.state import one_number

__all__ = [
    "MAX_LEVELS",
    "CategoryEncoding",
    "Encoding",
    "NumberEncoding",
    "check_encodings",
    "encoding_from",
    "learn_encoding",
]

MAX_LEVELS = 100


@dataclass(frozen=True)
class NumberEncoding:
    """A number, with the training median where it is missing, on the scale of its training rows.

    Attributes
    ----------
    median, mean, scale : float
        Of the training rows; mean and scale (the standard deviation) after the median was filled in.
    flags_missing : bool
        Whether a second number says "was missing": when some but not all training values were.
    """

    median: float
    mean: float
    scale: float
    flags_missing: bool

    @classmethod
    def learn(cls, column: pd.Series) -> Self:
        """Return the encoding that fits the training values; a constant one becomes 0."""
        missing = column.isna().to_numpy()
        median = 0.0 if missing.all() else float(column.median())
        filled = np.where(missing, median, column.to_numpy())
        with np.errstate(over="ignore", invalid="ignore"):
            mean, scale = float(filled.mean()), float(filled.std())
        if filled.min() == filled.max():  # the rounded mean of equal numbers may be a hair beside them
            mean, scale = float(filled[0]), 1.0
        if not (np.isfinite(median) and np.isfinite(mean) and np.isfinite(scale)):
            largest = np.abs(filled).max()
            raise ModelError(f"column {column.name!r} of X is too large to be scaled: up to {largest:.3g}")
        return cls(median, mean, scale or 1.0, bool(missing.any() and not missing.all()))

    @property
    def width(self) -> int:
        """Return how many numbers one value becomes."""
        return 1 + self.flags_missing

    def encode(self, column: pd.Series) -> np.ndarray:
        """Return a float64 array (n, width)."""
        missing = column.isna().to_numpy()
        scaled = (np.where(missing, self.median, column.to_numpy()) - self.mean) / self.scale
        return np.column_stack([scaled, missing.astype(float)] if self.flags_missing else [scaled])

    def weigh(self, column: pd.Series, coefficients: np.ndarray) -> np.ndarray:
        """Return `encode(column)` times the coefficients, (n,)."""
        encoded = self.encode(column)
        # not `@`: a matrix product may round a row differently when more rows stand beside it
        weighed: np.ndarray = encoded[:, 0] * coefficients[0]
        return weighed + encoded[:, 1] * coefficients[1] if self.flags_missing else weighed


@dataclass(frozen=True)
class CategoryEncoding:
    """A category as one number a level, 1 for its own and 0 for the others (one-hot).

    A level that training did not know, or that was not among its `MAX_LEVELS` most frequent, is 0
    everywhere: the bucket of all others.

    Attributes
    ----------
    levels : tuple of str or None
        In order of frequency, then of name; None is "missing", where training had it.
    others : int
        How many training levels went into the bucket of all others.
    """

    levels: tuple[str | None, ...]
    others: int

    @classmethod
    def learn(cls, column: pd.Series) -> Self:
        """Return the encoding that fits the training values."""
        counts = column.value_counts()
        frequent = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
        kept: list[str | None] = [str(level) for level, _ in frequent[:MAX_LEVELS]]
        missing = [None] if column.isna().any() else []
        return cls((*kept, *missing), len(frequent) - len(kept))

    @property
    def width(self) -> int:
        """Return how many numbers one value becomes."""
        return len(self.levels)

    def codes(self, column: pd.Series) -> np.ndarray:
        """Return each value's position in `levels`, (n,) int; -1 for all others."""
        known = [level for level in self.levels if level is not None]
        codes: np.ndarray = pd.Index(known, dtype="str").get_indexer(pd.Index(column))
        if None in self.levels:
            codes = np.where(column.isna().to_numpy(), self.levels.index(None), codes)
        return codes

    def encode(self, column: pd.Series) -> np.ndarray:
        """Return a float64 array (n, width)."""
        encoded: np.ndarray = self.codes(column)[:, None] == np.arange(self.width)
        return encoded.astype(np.float64)

    def weigh(self, column: pd.Series, coefficients: np.ndarray) -> np.ndarray:
        """Return each level's coefficient, (n,); 0 for all others."""
        weighed: np.ndarray = np.append(coefficients, 0.0)[self.codes(column)]
        return weighed


Encoding = NumberEncoding | CategoryEncoding


def learn_encoding(column: pd.Series, kind: str) -> Encoding:
    """Return the encoding of a training column of kind `number` or `category`."""
    learn: Callable[[pd.Series], Encoding] = NumberEncoding.learn if kind == "number" else CategoryEncoding.learn
    return learn(column)


def encoding_from(saved: dict[str, Any]) -> Encoding:
    """Return the encoding whose `asdict` was saved as JSON.

    Examples
    --------
    >>> from dataclasses import asdict
    >>> encoding_from(asdict(CategoryEncoding(("DE", None), others=0)))
    CategoryEncoding(levels=('DE', None), others=0)
    """
    if "levels" in saved:
        levels = tuple(saved["levels"])
        texts = all(each is None or isinstance(each, str) for each in levels)
        if len(set(levels)) != len(levels) or not texts or isinstance(saved["levels"], str):
            raise ValueError("a category's levels are not different texts")
        return CategoryEncoding(levels, int(saved["others"]))
    median, mean, scale = (one_number(saved[name], name) for name in ("median", "mean", "scale"))
    if not scale:
        raise ValueError("a number's scale is 0")
    return NumberEncoding(median, mean, scale, bool(saved["flags_missing"]))


def check_encodings(encodings: Mapping[str, Encoding], columns: Mapping[str, str]) -> None:
    """Raise a ValueError unless each encoding is that of its column's kind, `number` or `category`."""
    kinds = {NumberEncoding: "number", CategoryEncoding: "category"}
    if {name: kinds[type(each)] for name, each in encodings.items()} != dict(columns):
        raise ValueError("its encodings are of other columns than the manifest's")
