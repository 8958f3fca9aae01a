"""A run's validation curves from its predictions: small tables, no lead in them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import numpy as np

__all__ = ["CURVES", "Curve", "curve_rows"]

POINTS = 200  # of one curve, over all folds
BINS = 10


class Curve(NamedTuple):
    """What a curve is called and which way it runs."""

    title: str
    x: str
    y: str


CURVES = {
    "roc": Curve("ROC", "false positive rate", "true positive rate"),
    "precision_recall": Curve("Precision and recall", "recall", "precision"),
    "gains": Curve("Conversions found by calling the likeliest first", "share of leads called", "share found"),
    "calibration": Curve("Calibration, ten bins of equally many leads", "mean probability", "share converted"),
}


def curve_rows(predictions: Any) -> dict[str, list[tuple[float, float, str]]]:
    """Return each curve's points: x, y and the fold.

    Parameters
    ----------
    predictions : DataFrame
        As in `predictions.parquet`. Refits, which have a later seed than the run's own, are left out.

    Returns
    -------
    dict of str to list of (float, float, str)
        Under the names of `CURVES`; at most 200 points over the folds. A fold with one class has no curve.
    """
    rows: dict[str, list[tuple[float, float, str]]] = {name: [] for name in CURVES}
    own = predictions[predictions["seed"] == predictions["seed"].min()]
    points = max(POINTS // max(own["fold"].nunique(), 1), 2)
    for fold, part in own.groupby("fold"):
        for name, x, y in _curves(part["label"].to_numpy(), part["probability"].to_numpy()):
            kept = _thinned(len(x), points)
            rows[name] += [(float(a), float(b), str(fold)) for a, b in zip(x[kept], y[kept], strict=True)]
    return rows


def _curves(label: "np.ndarray", probability: "np.ndarray") -> Iterator[tuple[str, "np.ndarray", "np.ndarray"]]:
    import numpy as np

    positives = int(label.sum())
    if not 0 < positives < len(label):
        return
    order = np.argsort(-probability, kind="stable")
    label, probability = label[order], probability[order]
    found = np.cumsum(label)
    # Leads of one probability are called together, else the order of rows would bend the curve.
    ends = np.append(np.flatnonzero(np.diff(probability)), len(order) - 1)
    found, called = found[ends], ends + 1.0
    origin = np.zeros(1)
    recall = np.append(origin, found / positives)
    yield "roc", np.append(origin, (called - found) / (len(label) - positives)), recall
    yield "precision_recall", found / positives, found / called
    yield "gains", np.append(origin, called / len(label)), recall
    borders = np.quantile(probability, np.arange(1, BINS) / BINS)
    _, bin_of, rows = np.unique(np.searchsorted(borders, probability), return_inverse=True, return_counts=True)
    yield "calibration", np.bincount(bin_of, probability) / rows, np.bincount(bin_of, label) / rows


def _thinned(n: int, points: int) -> "np.ndarray":
    """Return the indices of at most `points` of `n` points, both ends among them."""
    import numpy as np

    return np.unique(np.linspace(0, n - 1, min(n, points)).round().astype(int))
