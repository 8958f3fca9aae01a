"""AUCs, their variances and covariances by DeLong's method, in O(n log n) and exact with ties.

DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44, 837-845: the AUC is a mean of placements (for a positive,
the share of negatives ranked below it), so its variance is that of two means. Sun and Xu (2014), IEEE Signal
Processing Letters 21, 1389-1393: all placements follow from one sort. Here they are counted in whole numbers.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from leadscore.compare.inputs import Labels, Rows, check_rows, one_class
from leadscore.errors import ModelError

__all__ = ["DeLong", "Placements", "delong"]


@dataclass(frozen=True)
class Placements:
    """Where each row stands among the rows of the other class, for k columns of scores.

    Counts are doubled, so that a tie, which counts one half, is a whole number.

    Attributes
    ----------
    below : int64 (k, n_positive)
        For each positive, twice the negatives ranked below it, and once those tied with it.
    above : int64 (k, n_negative)
        For each negative, twice the positives ranked above it, and once those tied with it.
    """

    below: np.ndarray
    above: np.ndarray

    @classmethod
    def of(cls, label: Labels, scores: Rows) -> "Placements":
        """Return the placements for valid labels of both classes and scores (n, k)."""
        pairs = [_place(label, scores[:, column]) for column in range(scores.shape[1])]
        return cls(np.array([below for below, _ in pairs]), np.array([above for _, above in pairs]))

    @property
    def auc(self) -> np.ndarray:
        """The AUCs (k,), each one division of whole numbers."""
        pairs = 2 * self.below.shape[1] * self.above.shape[1]
        return np.array([int(total) / pairs for total in self.below.sum(axis=1)])

    @property
    def covariance(self) -> np.ndarray:
        """The covariance matrix (k, k) of the AUCs; needs two rows in each class."""
        m, n = self.below.shape[1], self.above.shape[1]
        matrix: np.ndarray = _covariance(self.below) / (4.0 * n * n * m) + _covariance(self.above) / (4.0 * m * m * n)
        return matrix

    def variance(self, contrast: np.ndarray) -> float:
        """Return the variance of a weighted sum of the AUCs: exactly 0 when no row's placement varies.

        From the contrast of each row, not from the matrix: nearly equal curves would lose all digits in it.
        """
        m, n = self.below.shape[1], self.above.shape[1]
        below, above = _variance(contrast @ self.below), _variance(contrast @ self.above)
        return float(below / (4.0 * n * n * m) + above / (4.0 * m * m * n))


def _place(label: Labels, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the doubled placements of the positives and of the negatives, each in the order of the rows."""
    order = np.argsort(score)
    ordered = score[order]
    ends = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    positives = np.cumsum(label[order], dtype=np.int64)[ends]
    negatives = ends + 1 - positives
    tied_positives, tied_negatives = np.diff(positives, prepend=0), np.diff(negatives, prepend=0)
    sizes = np.diff(ends, prepend=-1)
    below, above = np.empty(len(score), dtype=np.int64), np.empty(len(score), dtype=np.int64)
    below[order] = np.repeat(2 * negatives - tied_negatives, sizes)
    above[order] = np.repeat(2 * (positives[-1] - positives) + tied_positives, sizes)
    return below[label], above[~label]


def _covariance(placements: np.ndarray) -> np.ndarray:
    centred = placements - placements.mean(axis=1, keepdims=True)
    matrix: np.ndarray = centred @ centred.T / (placements.shape[1] - 1)
    return matrix


def _variance(values: np.ndarray) -> float:
    if (values == values[0]).all():  # the mean of equal numbers need not equal them in the last digit
        return 0.0
    return float(np.var(values, ddof=1))


@dataclass(frozen=True)
class DeLong:
    """AUCs of k columns of scores on the same rows.

    Attributes
    ----------
    auc : float64 (k,)
    covariance : float64 (k, k) or None
        Of the AUCs; None where a class has one row alone, and `reason` says so.
    n_positive, n_negative : int
    reason : str or None
    """

    auc: np.ndarray
    covariance: np.ndarray | None
    n_positive: int
    n_negative: int
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {
            "auc": self.auc.tolist(),
            "covariance": None if self.covariance is None else self.covariance.tolist(),
            "n_positive": self.n_positive,
            "n_negative": self.n_negative,
            "reason": self.reason,
        }


def delong(label: Any, scores: Any) -> DeLong:
    """Return the AUCs of one or more columns of scores and their covariance.

    Assumes one row a lead: rows of one lead are not independent, and their variance is then larger.

    Parameters
    ----------
    label : array-like (n,)
        0 or 1.
    scores : array-like (n,) or (n, k)
        Any finite numbers: only their order counts. Tied pairs count one half.

    Raises
    ------
    ModelError
        When there is only one class, lengths differ, or a label or a score is not allowed.

    Examples
    --------
    >>> delong([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]).auc
    array([0.75])
    >>> delong([0, 0, 1], [1, 2, 3]).reason
    'one positive alone: a variance needs two rows in each class'
    """
    labels, columns = check_rows(label, scores)
    if reason := one_class(labels):
        raise ModelError(f"the AUC needs both classes; {reason}")
    places = Placements.of(labels, columns)
    m = int(labels.sum())
    n = len(labels) - m
    if min(m, n) > 1:
        return DeLong(places.auc, places.covariance, m, n)
    alone = "positive" if m == 1 else "negative"
    return DeLong(places.auc, None, m, n, f"one {alone} alone: a variance needs two rows in each class")
