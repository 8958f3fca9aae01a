"""All metrics of one set of probabilities, and their mean over folds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from leadscore.evaluate.metrics import METRICS, MetricValue, check_input

__all__ = ["Evaluation", "evaluate", "summarise_folds"]


@dataclass(frozen=True)
class Evaluation:
    """All metrics of one set of probabilities.

    Attributes
    ----------
    n, positives : int
        Rows, and rows that converted.
    base_rate : float or None
        positives / n; None without rows.
    metrics : dict of str to MetricValue
        In the order of `METRICS`.
    """

    n: int
    positives: int
    base_rate: float | None
    metrics: dict[str, MetricValue]

    def to_json(self) -> dict[str, Any]:
        """Return JSON values: `metrics` name to number or null, `reasons` name to why it is null."""
        return {
            "n": self.n,
            "positives": self.positives,
            "base_rate": self.base_rate,
            "metrics": {name: metric.value for name, metric in self.metrics.items()},
            "reasons": {name: metric.reason for name, metric in self.metrics.items() if metric.value is None},
        }


def evaluate(y: pd.Series, p: pd.Series) -> Evaluation:
    """Return every metric of the probabilities `p` for the labels `y`.

    Parameters
    ----------
    y : Series of int (n,)
        1 where the lead converted within the horizon, else 0.
    p : Series of float (n,)
        P(convert), in [0, 1], with the index of `y`.

    Raises
    ------
    ModelError
        When indexes differ, a label is not 0 or 1, or a probability is missing or outside [0, 1].

    Examples
    --------
    >>> evaluation = evaluate(pd.Series([0, 0, 1, 1]), pd.Series([0.1, 0.4, 0.35, 0.8]))
    >>> evaluation.base_rate, evaluation.metrics["auc"].value
    (0.5, 0.75)
    >>> evaluate(pd.Series([0, 0]), pd.Series([0.1, 0.2])).metrics["auc"]
    MetricValue(value=None, reason='one class only: 0 of 2 rows converted')
    """
    labels, scores = check_input(y, p, "probability")
    n, positives = len(labels), int(labels.sum())
    metrics = {name: metric.of(labels, scores) for name, metric in METRICS.items()}
    return Evaluation(n, positives, positives / n if n else None, metrics)


def summarise_folds(evaluations: Sequence[Evaluation]) -> dict[str, Any]:
    """Return each metric's mean over the folds, with each fold's value beside it.

    Parameters
    ----------
    evaluations : sequence of Evaluation
        One a fold, in the order of time; at least one.

    Returns
    -------
    dict
        `metrics` name to the unweighted mean, null when a fold has none; `reasons` name to why it is null;
        `folds` a list of `Evaluation.to_json()`.

    Examples
    --------
    >>> one = evaluate(pd.Series([0, 1]), pd.Series([0.2, 0.6]))
    >>> two = evaluate(pd.Series([0, 1]), pd.Series([0.6, 0.2]))
    >>> summarise_folds([one, two])["metrics"]["auc"]
    0.5
    >>> none = evaluate(pd.Series([0, 0]), pd.Series([0.6, 0.2]))
    >>> summarise_folds([one, none])["reasons"]["auc"]
    'fold 1: one class only: 0 of 2 rows converted'
    """
    folds = [evaluation.to_json() for evaluation in evaluations]
    metrics: dict[str, float | None] = {}
    reasons: dict[str, str] = {}
    for name in METRICS:
        values = [fold["metrics"][name] for fold in folds]
        lacking = [
            f"fold {number}: {fold['reasons'][name]}" for number, fold in enumerate(folds) if name in fold["reasons"]
        ]
        if lacking:
            reasons[name] = "; ".join(lacking)
        metrics[name] = None if lacking else sum(values) / len(values)
    return {"metrics": metrics, "reasons": reasons, "folds": folds}
