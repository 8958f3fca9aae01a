"""The curves of one fold with their bands: how far they move when other leads of the same kind come.

A band is pointwise: leads are drawn again, as often as they are there, and at each place of the grid it holds the
middle 95% of the curves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Banded", "Bin", "calibration_bins", "ranked_curves"]

Array = np.ndarray[Any, Any]
GRID = np.linspace(0.0, 1.0, 101)
DRAWS = 200
FEWEST = 40
CELLS = 20_000_000  # rows times draws
LEADS_FOR_A_BAND = 10  # of each outcome
BINS = 10
ROWS_OF_A_BIN = 20


@dataclass(frozen=True)
class Banded:
    """A curve over a grid; `low` and `high` are None where too few leads would make the band.

    Attributes
    ----------
    x, y : array (k,)
    low, high : array (k,) or None
    draws : int
        Of the band.
    """

    x: Array
    y: Array
    low: Array | None = None
    high: Array | None = None
    draws: int = 0


@dataclass(frozen=True)
class Bin:
    """Leads with like probabilities.

    Attributes
    ----------
    n, positives : int
    said, came : float
        The mean probability, and the share that converted.
    low, high : float
        The 95% interval of the share.
    """

    n: int
    positives: int
    said: float
    came: float
    low: float
    high: float


def ranked_curves(fold: "pd.DataFrame", *, band: bool = True) -> dict[str, Banded]:
    """Return `roc`, `precision_recall`, `gains` and `lift` of one fold; none where it has one class only.

    Parameters
    ----------
    fold : DataFrame
        `user_id`, `label` and `probability` of its rows.
    band : bool
        Whether to draw leads again.

    Examples
    --------
    >>> import pandas as pd
    >>> fold = pd.DataFrame({"user_id": list("abcd"), "label": [1, 0, 1, 0], "probability": [0.9, 0.6, 0.5, 0.1]})
    >>> curves = ranked_curves(fold)
    >>> curves["gains"].y[[0, 25, 50, 75, 100]].tolist(), curves["roc"].low is None
    ([0.0, 0.5, 0.5, 1.0, 1.0], True)
    """
    label = fold["label"].to_numpy(dtype="float64")
    if not 0 < label.sum() < len(label):
        return {}
    score = fold["probability"].to_numpy()
    order = np.argsort(-score, kind="stable")
    label, score = label[order], score[order]
    ends = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)  # leads of one score are called together
    plain = _curves(label, np.ones(len(label)), ends)
    lead = fold["user_id"].factorize()[0][order]
    leads_of_each = [len(np.unique(lead[label == value])) for value in (0, 1)]
    if not band or min(leads_of_each) < LEADS_FOR_A_BAND:
        return {name: Banded(x, y) for name, (x, y) in plain.items()}
    drawn: dict[str, list[Array]] = {name: [] for name in plain}
    for weights in _draws(lead):
        if 0 < (weights * label).sum() < weights.sum():
            for name, (_, y) in _curves(label, weights, ends).items():
                drawn[name].append(y)
    return {name: _banded(x, y, drawn[name]) for name, (x, y) in plain.items()}


def _banded(x: Array, y: Array, curves: list[Array]) -> Banded:
    low, high = np.percentile(curves, [2.5, 97.5], axis=0)
    return Banded(x, y, low, high, len(curves))


def _draws(lead: Array) -> Iterator[Array]:
    """Yield how often each row counts when as many leads are drawn again, the same every time."""
    leads = int(lead.max()) + 1
    rng = np.random.default_rng(0)
    for _ in range(int(np.clip(CELLS // len(lead), FEWEST, DRAWS))):
        yield np.bincount(rng.integers(0, leads, leads), minlength=leads)[lead].astype("float64")


def _curves(label: Array, weights: Array, ends: Array) -> dict[str, tuple[Array, Array]]:
    called = np.cumsum(weights)[ends]
    found = np.cumsum(weights * label)[ends]
    n, positives = called[-1], found[-1]
    recall = np.append(0.0, found / positives)
    share = np.append(0.0, called / n)
    fallout = np.append(0.0, (called - found) / (n - positives))
    gains = np.interp(GRID, share, recall)
    reached = np.searchsorted(found / positives, GRID[1:] - 1e-12)  # the fewest calls that find so many
    return {
        "roc": (GRID, np.interp(GRID, fallout, recall)),
        "precision_recall": (GRID[1:], found[reached] / called[reached]),
        "gains": (GRID, gains),
        "lift": (GRID[1:], gains[1:] / GRID[1:]),
    }


def calibration_bins(fold: "pd.DataFrame") -> list[Bin]:
    """Return bins of about equally many rows, the lowest probability first: ten, fewer of few rows or equal scores.

    Examples
    --------
    >>> import pandas as pd
    >>> fold = pd.DataFrame({"user_id": list("abcd"), "label": [0, 1, 1, 1], "probability": [0.2, 0.2, 0.8, 0.8]})
    >>> [(each.n, each.said, each.came) for each in calibration_bins(fold)]
    [(2, 0.2, 0.5), (2, 0.8, 1.0)]
    """
    from leadscore.compare import share_interval

    label, probability, lead = (fold[name].to_numpy() for name in ("label", "probability", "user_id"))
    n_bins = int(np.clip(len(label) // ROWS_OF_A_BIN, 2, BINS))
    borders = np.quantile(probability, np.arange(1, n_bins) / n_bins)
    bin_of = np.searchsorted(borders, probability)
    bins = []
    for number in np.unique(bin_of):
        mine = bin_of == number
        low, high = share_interval(label[mine], lead[mine])
        n, positives = int(mine.sum()), int(label[mine].sum())
        bins.append(Bin(n, positives, float(probability[mine].mean()), positives / n, low, high))
    return bins
