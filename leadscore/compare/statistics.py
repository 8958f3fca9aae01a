"""Metrics of weighted rows, for many sets of weights at once, from one sort.

A bootstrap resample of leads is a weight for each row: how often its lead was drawn. Scores are ranked once; each
resample then costs two running sums. With all weights 1 a statistic equals the metric of the same name in
`metrics.json`; with whole weights it equals that metric on repeated rows.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from leadscore.compare.inputs import Labels, check_rows
from leadscore.errors import ConfigError, ModelError, did_you_mean

__all__ = [
    "CALIBRATION",
    "STATISTICS",
    "Curve",
    "Ranked",
    "Statistic",
    "gain",
    "lift",
    "precision_at_recall",
    "statistic",
    "top_k",
    "weighted",
]


@dataclass(frozen=True)
class Curve:
    """What is at or above each distinct score, from the highest down, for b sets of weights.

    Attributes
    ----------
    w, p : float64 (b, g)
        Weight of the rows, and of the positives, tied at each score.
    rows, positives : float64 (b, g)
        The same for all rows at or above it.
    """

    w: np.ndarray
    p: np.ndarray
    rows: np.ndarray
    positives: np.ndarray

    @property
    def n(self) -> np.ndarray:
        """Weight of all rows (b,)."""
        total: np.ndarray = self.rows[:, -1]
        return total

    @property
    def converted(self) -> np.ndarray:
        """Weight of all positives (b,)."""
        total: np.ndarray = self.positives[:, -1]
        return total


@dataclass(frozen=True)
class Ranked:
    """Rows in the order of one score.

    Attributes
    ----------
    order : int64 (n,)
        The rows from the highest score down.
    label : float64 (n,)
        Their labels, in that order.
    starts : int64 (g,) or None
        Where each distinct score begins; None when all scores differ.
    """

    order: np.ndarray
    label: np.ndarray
    starts: np.ndarray | None

    @classmethod
    def of(cls, label: Labels, score: np.ndarray) -> "Ranked":
        """Rank once."""
        order = np.argsort(-score, kind="stable")
        ordered = score[order]
        starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
        return cls(order, label[order].astype(np.float64), starts if len(starts) < len(score) else None)

    def curve(self, weights: np.ndarray) -> Curve:
        """Return the curve of weights (b, n), whose columns are in `order`."""
        w, p = weights, weights * self.label
        if self.starts is not None:
            w, p = np.add.reduceat(w, self.starts, axis=1), np.add.reduceat(p, self.starts, axis=1)
        return Curve(w, p, np.cumsum(w, axis=1), np.cumsum(p, axis=1))


@dataclass(frozen=True)
class Statistic:
    """A metric that takes weights.

    Attributes
    ----------
    name, title : str
    direction : {"higher", "lower", "zero"}
        Where better lies; one whose best value is zero is measured and not compared.
    takes : {"score", "probability"}
    of_curve : callable, or None
        `Curve` to values (b,), NaN where undefined.
    of_row : callable, or None
        (labels, scores) to a loss a row (n,), whose weighted mean is the metric. One of the two is given.
    """

    name: str
    title: str
    direction: Literal["higher", "lower", "zero"]
    takes: Literal["score", "probability"]
    of_curve: Callable[[Curve], np.ndarray] | None = None
    of_row: Callable[[Labels, np.ndarray], np.ndarray] | None = None


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Divide; NaN where there is nothing to divide by."""
    ratio: np.ndarray = np.divide(above, below, out=np.full(np.shape(above), np.nan), where=below > 0)
    return ratio


def _auc(curve: Curve) -> np.ndarray:
    # A positive and a negative at the same score count one half.
    pairs = np.einsum("bg,bg->b", curve.w - curve.p, curve.positives - curve.p / 2)
    return _ratio(pairs, curve.converted * (curve.n - curve.converted))


def _average_precision(curve: Curve) -> np.ndarray:
    # Where all rows so far weigh 0 there are no positives either, and 0 / tiny is 0.
    precision = curve.positives / np.maximum(curve.rows, np.finfo(np.float64).tiny)
    both = (curve.converted > 0) & (curve.converted < curve.n)
    return np.where(both, _ratio(np.einsum("bg,bg->b", curve.p, precision), curve.converted), np.nan)


def precision_at_recall(recall: float) -> Statistic:
    """Return precision at the highest score that finds the share `recall` of conversions, ties taken whole.

    Examples
    --------
    >>> weighted(precision_at_recall(0.8), [1, 1, 0, 1, 1, 0, 0, 1], [8, 7, 6, 5, 4, 3, 2, 1])
    0.8
    """
    if not 0 < recall <= 1:
        raise ModelError(f"recall is {recall}: a share of the conversions, above 0 and at most 1")

    def of_curve(curve: Curve) -> np.ndarray:
        both = (curve.converted > 0) & (curve.converted < curve.n)
        reached = curve.positives / np.where(both, curve.converted, 1.0)[:, None] >= recall
        first = reached.argmax(axis=1)[:, None]
        found = np.take_along_axis(curve.positives, first, 1)[:, 0], np.take_along_axis(curve.rows, first, 1)[:, 0]
        return np.where(both, _ratio(*found), np.nan)

    name = f"precision_at_{recall:g}_recall".replace(".", "_")
    return Statistic(name, f"Precision at {recall:.0%} recall", "higher", "score", of_curve)


def _hits(curve: Curve, k: np.ndarray) -> np.ndarray:
    """Return the expected weight of positives among the top `k` (b,), rows tied at the cut in random order."""
    cut = np.minimum((curve.rows < k[:, None]).sum(axis=1), curve.rows.shape[1] - 1)[:, None]
    rows, positives, w, p = (
        np.take_along_axis(each, cut, 1)[:, 0] for each in (curve.rows, curve.positives, curve.w, curve.p)
    )
    hits: np.ndarray = positives - p + (k - (rows - w)) * _ratio(p, w)
    return hits


def lift(share: float) -> Statistic:
    """Return the share that converted in the top `share` of rows (rounded up), over the base rate.

    Rows tied at the cut count with their expectation under random order.

    Examples
    --------
    >>> weighted(lift(0.1), [1, 1, 0, 0, 0, 0, 0, 0, 0, 0] * 2, range(20, 0, -1))
    5.0
    >>> weighted(lift(0.1), [0, 1, 0], [0.5, 0.5, 0.5])
    1.0
    """
    if not 0 < share <= 1:
        raise ModelError(f"the share is {share}: above 0 and at most 1")

    def of_curve(curve: Curve) -> np.ndarray:
        both = (curve.converted > 0) & (curve.converted < curve.n)
        # 0.07 * 100 is 7.000000000000001, and the top 7 of 100 are meant.
        k = np.where(both, np.ceil(np.round(curve.n * share, 9)), 1e-9)
        values = _ratio(_hits(curve, k) * curve.n, k * curve.converted)
        return np.where(both, values, np.nan)

    return Statistic(f"lift_at_{share * 100:g}pct", f"Lift in the top {share * 100:g}%", "higher", "score", of_curve)


def top_k(k: int) -> Statistic:
    """Return the share that converted among the `k` highest: the hit rate of a fixed capacity.

    Where there are fewer rows than `k`, all are taken. Ties as in `lift`.

    Examples
    --------
    >>> weighted(top_k(2), [1, 0, 1, 0], [4, 3, 2, 1])
    0.5
    """
    if k < 1:
        raise ModelError(f"k is {k}: at least 1")

    def of_curve(curve: Curve) -> np.ndarray:
        taken = np.minimum(float(k), curve.n)
        return np.where(curve.n > 0, _ratio(_hits(curve, np.where(curve.n > 0, taken, 1e-9)), taken), np.nan)

    return Statistic(f"hit_rate_at_{k}", f"Hit rate in the top {k}", "higher", "score", of_curve)


def _brier(label: Labels, p: np.ndarray) -> np.ndarray:
    squared: np.ndarray = (p - label) ** 2
    return squared


def _log_loss(label: Labels, p: np.ndarray) -> np.ndarray:
    # A probability of exactly 0 or 1 counts as 2.2e-16 away from it, as in scikit-learn.
    eps = np.finfo(np.float64).eps
    loss: np.ndarray = -np.log(np.clip(np.where(label, p, 1 - p), eps, 1 - eps))
    return loss


def gain(share: float) -> Statistic:
    """Return the share of all conversions that lie in the top `share` of rows (rounded up); ties as in `lift`.

    Examples
    --------
    >>> weighted(gain(0.25), [1, 0, 1, 0, 0, 1, 1, 0], [8, 7, 6, 5, 4, 3, 2, 1])  # 1 of 4 in the first 2 rows
    0.25
    """
    if not 0 < share <= 1:
        raise ModelError(f"the share is {share}: above 0 and at most 1")

    def of_curve(curve: Curve) -> np.ndarray:
        top = np.ceil(np.round(np.maximum(curve.n, 1e-9) * share, 9))
        return _ratio(_hits(curve, top), curve.converted)

    name, title = f"gain_at_{share * 100:g}pct", f"Conversions in the top {share * 100:g}%"
    return Statistic(name, title, "higher", "score", of_curve)


def _calibration_in_the_large(label: Labels, p: np.ndarray) -> np.ndarray:
    off: np.ndarray = p - label
    return off


CALIBRATION = Statistic(
    "calibration_in_the_large", "Calibration in the large", "zero", "probability", of_row=_calibration_in_the_large
)
STATISTICS: dict[str, Statistic] = {
    each.name: each
    for each in (
        Statistic("auc", "ROC AUC", "higher", "score", _auc),
        Statistic("average_precision", "Average precision", "higher", "score", _average_precision),
        precision_at_recall(0.8),
        lift(0.1),
        Statistic("brier", "Brier score", "lower", "probability", of_row=_brier),
        Statistic("log_loss", "Log loss", "lower", "probability", of_row=_log_loss),
    )
}


def statistic(metric: str | Statistic) -> Statistic:
    """Return the statistic that a name means; a ConfigError says which there are.

    Examples
    --------
    >>> statistic("brier").direction
    'lower'
    """
    if isinstance(metric, Statistic):
        return metric
    if metric not in STATISTICS:
        raise ConfigError(f"no metric '{metric}'. {did_you_mean(metric, STATISTICS)}")
    return STATISTICS[metric]


def weighted(metric: str | Statistic, label: object, score: object, weights: object = None) -> float:
    """Return one metric of weighted rows; NaN where it is undefined.

    Parameters
    ----------
    metric : str or Statistic
    label, score : array-like (n,)
    weights : array-like (n,), optional
        0 or more; all 1 when left out.

    Examples
    --------
    >>> weighted("auc", [0, 1, 1], [0.2, 0.1, 0.9], [1, 1, 3])  # as if the last row stood there three times
    0.75
    """
    chosen = statistic(metric)
    labels, columns = check_rows(label, score, chosen.takes)
    w = np.ones(len(labels)) if weights is None else np.asarray(weights, dtype=np.float64)
    if w.shape != labels.shape or not (np.isfinite(w) & (w >= 0)).all():
        raise ModelError(f"weights have shape {w.shape} for {len(labels)} rows; one a row, 0 or more, is needed")
    if chosen.of_row is not None:
        total = float(w.sum())
        return float(w @ chosen.of_row(labels, columns[:, 0]) / total) if total else math.nan
    assert chosen.of_curve is not None
    ranked = Ranked.of(labels, columns[:, 0])
    return float(chosen.of_curve(ranked.curve(w[None, ranked.order]))[0])
