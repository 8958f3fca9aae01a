"""What a run measures: each metric declared with its direction, unit, tie rule and when it is undefined.

A metric that cannot be computed is null with a reason, never NaN and never a number that looks like one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from leadscore.errors import ModelError, examples, raise_all

__all__ = ["METRICS", "Metric", "MetricValue", "check_input"]

RECALL = 0.8

Scores = np.ndarray  # float64 (n,)
Labels = np.ndarray  # int64 (n,), 0 or 1


@dataclass(frozen=True)
class MetricValue:
    """A number, or None and the reason why there is none."""

    value: float | None
    reason: str | None = None


def check_input(y: pd.Series, score: pd.Series, takes: str) -> tuple[Labels, Scores]:
    """Return labels and scores as arrays; a ModelError lists all that is wrong with them."""
    problems = []
    if not y.index.equals(score.index):
        problems.append(f"labels ({len(y)} rows) and scores ({len(score)} rows) do not have the same index")
    wrong = ~y.isin([0, 1])
    if wrong.any():
        problems.append(f"{wrong.sum()} of {len(y)} labels are neither 0 nor 1: {examples(y[wrong].tolist())}")
    scores = score.to_numpy(dtype=np.float64)
    bad = ~np.isfinite(scores)
    if takes == "probability":
        bad |= (scores < 0) | (scores > 1)
    if bad.any():
        allowed = "a probability in [0, 1]" if takes == "probability" else "a finite number"
        problems.append(f"{bad.sum()} of {len(scores)} scores are not {allowed}: {examples(scores[bad].tolist())}")
    raise_all(ModelError, problems)
    return y.to_numpy(dtype=np.int64), scores


@dataclass(frozen=True)
class Metric:
    """One declared metric.

    Attributes
    ----------
    name, title : str
        As in `metrics.json`, and as people read it.
    direction : {"higher", "lower", "zero"}
        Where better lies.
    unit : str
        What the number counts.
    takes : {"score", "probability"}
        A score only ranks: any finite number. A probability lies in [0, 1].
    needs : {"both classes", "rows"}
        Without them the metric is undefined.
    ties : str
        How equal scores count, one sentence.
    function : callable
        (labels, scores) to float, both valid and enough.
    """

    name: str
    title: str
    direction: Literal["higher", "lower", "zero"]
    unit: str
    takes: Literal["score", "probability"]
    needs: Literal["both classes", "rows"]
    ties: str
    function: Callable[[Labels, Scores], float]

    def __call__(self, y: pd.Series, score: pd.Series) -> MetricValue:
        """Return the metric of scores for 0/1 labels; see `evaluate` for what is refused.

        Examples
        --------
        >>> METRICS["auc"](pd.Series([0, 0, 1]), pd.Series([-3.0, 5.0, 7.0]))
        MetricValue(value=1.0, reason=None)
        """
        return self.of(*check_input(y, score, self.takes))

    def of(self, labels: Labels, scores: Scores) -> MetricValue:
        """Return the metric of what `check_input` returned."""
        if not len(labels):
            return MetricValue(None, "no rows")
        if self.needs == "both classes" and labels.min() == labels.max():
            return MetricValue(None, f"one class only: {labels.sum()} of {len(labels)} rows converted")
        return MetricValue(float(self.function(labels, scores)))


def _auc(labels: Labels, scores: Scores) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, scores))


def _average_precision(labels: Labels, scores: Scores) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(labels, scores))


def _tie_groups(labels: Labels, scores: Scores) -> tuple[np.ndarray, np.ndarray]:
    """Return, from the highest score down, how many rows and positives have at least each distinct score."""
    order = np.argsort(-scores, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[order])), len(scores) - 1)
    return ends + 1, np.cumsum(labels[order])[ends]


def _precision_at_recall(labels: Labels, scores: Scores) -> float:
    rows, positives = _tie_groups(labels, scores)
    first = np.argmax(positives / labels.sum() >= RECALL)
    return float(positives[first] / rows[first])


def _lift(labels: Labels, scores: Scores) -> float:
    n, converted = len(labels), int(labels.sum())
    k = -(-n // 10)  # a tenth, rounded up: 12 of 113
    rows, positives = _tie_groups(labels, scores)
    cut = int(np.searchsorted(rows, k))  # the tie group in which row k lies
    above, won = (int(rows[cut - 1]), int(positives[cut - 1])) if cut else (0, 0)
    tied, tied_won = int(rows[cut]) - above, int(positives[cut]) - won
    # One division of whole numbers: when all scores are equal, it is k*P*n / (n*k*P), which is exactly 1.
    return (won * tied + (k - above) * tied_won) * n / (tied * k * converted)


def _brier(labels: Labels, scores: Scores) -> float:
    from sklearn.metrics import brier_score_loss

    return float(brier_score_loss(labels, scores, pos_label=1))


def _log_loss(labels: Labels, scores: Scores) -> float:
    from sklearn.metrics import log_loss

    return float(log_loss(labels, scores, labels=[0, 1]))


def _calibration_in_the_large(labels: Labels, scores: Scores) -> float:
    return float(scores.mean() - labels.mean())


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric(
            "auc",
            "ROC AUC",
            "higher",
            "probability that a lead that converted is ranked above one that did not",
            "score",
            "both classes",
            "A tied pair counts one half.",
            _auc,
        ),
        Metric(
            "average_precision",
            "Average precision",
            "higher",
            "mean precision over the recalls reached, not interpolated",
            "score",
            "both classes",
            "Tied rows are taken together.",
            _average_precision,
        ),
        Metric(
            "precision_at_0_8_recall",
            "Precision at 80% recall",
            "higher",
            "share that converted, among leads at or above the highest score that finds 80% of conversions",
            "score",
            "both classes",
            "Rows tied at that score are all taken.",
            _precision_at_recall,
        ),
        Metric(
            "lift_at_10pct",
            "Lift in the top 10%",
            "higher",
            "times the base rate, among the tenth (rounded up) with the highest scores",
            "score",
            "both classes",
            "Rows tied at the cut count with their expectation under random order; all equal is exactly 1.",
            _lift,
        ),
        Metric(
            "brier",
            "Brier score",
            "lower",
            "mean squared error of the probability",
            "probability",
            "rows",
            "Order plays no part.",
            _brier,
        ),
        Metric(
            "log_loss",
            "Log loss",
            "lower",
            "nats a row; a probability of exactly 0 or 1 counts as 2.2e-16 away from it",
            "probability",
            "rows",
            "Order plays no part.",
            _log_loss,
        ),
        Metric(
            "calibration_in_the_large",
            "Calibration in the large",
            "zero",
            "mean probability minus base rate",
            "probability",
            "rows",
            "Order plays no part.",
            _calibration_in_the_large,
        ),
    )
}
