"""How far probabilities can be taken at their word: Murphy's decomposition and the calibration error."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from leadscore.compare.inputs import check_rows
from leadscore.errors import ModelError

__all__ = ["BrierParts", "CalibrationError", "brier_parts", "calibration_error"]

BINS = 10


@dataclass(frozen=True)
class BrierParts:
    """The Brier score in parts: reliability - resolution + uncertainty + within.

    Attributes
    ----------
    brier : float
    reliability : float
        Mean squared gap between predicted and observed rate; 0 is calibrated.
    resolution : float
        Variance of the observed rates; what tells leads apart.
    uncertainty : float
        base rate * (1 - base rate).
    within : float
        What is left because a bin holds different probabilities (Stephenson and others 2008); 0 with a bin for each.
    bins : int
    """

    brier: float
    reliability: float
    resolution: float
    uncertainty: float
    within: float
    bins: int

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


@dataclass(frozen=True)
class CalibrationError:
    """Expected calibration error with bins of equal mass.

    Attributes
    ----------
    value : float
        Mean over bins, weighted by rows, of |mean probability - share converted|. Biased up: chance alone opens gaps.
    debiased : float
        `value` less its estimated bias, not below 0.
    if_calibrated : float
        What `value` is expected to be for perfectly calibrated probabilities on as many rows.
    bins, asked : int
        Bins used, fewer than asked for where equal probabilities fill more than one.
    smallest : int
        Rows in the smallest bin.
    """

    value: float
    debiased: float
    if_calibrated: float
    bins: int
    asked: int
    smallest: int

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return asdict(self)


def _bins(p: np.ndarray, bins: int | None) -> np.ndarray:
    """Return each row's bin (n,): one a distinct probability, or `bins` of equal mass, equal ones together."""
    _, group, sizes = np.unique(p, return_inverse=True, return_counts=True)
    if bins is None:
        return group.astype(np.int64)
    if bins < 1:
        raise ModelError(f"bins is {bins}: at least 1")
    # Where the middle of a group lies decides for all of it, so that the order of rows does not.
    middle = np.cumsum(sizes) - sizes / 2
    _, binned = np.unique(np.minimum((middle * bins / len(p)).astype(np.int64), bins - 1), return_inverse=True)
    result: np.ndarray = binned[group]
    return result


def _rates(label: np.ndarray, p: np.ndarray, bin_of: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rows = np.bincount(bin_of).astype(np.float64)
    return rows, np.bincount(bin_of, p) / rows, np.bincount(bin_of, label) / rows


def brier_parts(label: Any, probability: Any, *, bins: int | None = None) -> BrierParts:
    """Return Murphy's decomposition of the Brier score (Murphy 1973, J Appl Meteorol 12, 595-600).

    Parameters
    ----------
    label : array-like (n,)
        0 or 1.
    probability : array-like (n,)
        In [0, 1].
    bins : int, optional
        Bins of equal mass; without it each distinct probability is a bin, which with continuous probabilities puts
        one row in each and says little.

    Examples
    --------
    >>> parts = brier_parts([0, 1, 1, 1], [0.25, 0.25, 0.75, 0.75])
    >>> parts.reliability, parts.resolution, parts.uncertainty, parts.brier
    (0.0625, 0.0625, 0.1875, 0.1875)
    """
    labels, columns = check_rows(label, probability, "probability")
    p = columns[:, 0]
    rows, predicted, observed = _rates(labels, p, _bins(p, bins))
    base = float(labels.mean())
    share = rows / len(p)
    brier = float(np.mean((p - labels) ** 2))
    reliability = float(share @ (predicted - observed) ** 2)
    resolution = float(share @ (observed - base) ** 2)
    uncertainty = base * (1 - base)
    within = 0.0 if bins is None else brier - (reliability - resolution + uncertainty)
    return BrierParts(brier, reliability, resolution, uncertainty, within, len(rows))


def calibration_error(label: Any, probability: Any, *, bins: int = BINS) -> CalibrationError:
    """Return the expected calibration error over bins of equal mass, with its bias taken out.

    The bias is the plug-in one of Kumar, Liang and Ma (2019, NeurIPS, section 5): what |gap| grows to when each
    bin's share scatters around the observed one, here by the mean of a folded normal instead of by simulation.

    Parameters
    ----------
    label : array-like (n,)
        0 or 1.
    probability : array-like (n,)
        In [0, 1].
    bins : int

    Examples
    --------
    >>> error = calibration_error([0, 0, 0, 1] * 50, [0.5] * 200)
    >>> error.value, round(error.debiased, 3), error.bins
    (0.25, 0.25, 1)
    """
    labels, columns = check_rows(label, probability, "probability")
    p = columns[:, 0]
    rows, predicted, observed = _rates(labels, p, _bins(p, bins))
    share = rows / len(p)
    gap = np.abs(predicted - observed)
    value = float(share @ gap)
    scattered = float(share @ _folded(gap, np.sqrt(observed * (1 - observed) / rows)))
    calibrated = float(share @ np.sqrt(predicted * (1 - predicted) / rows)) * math.sqrt(2 / math.pi)
    return CalibrationError(value, max(0.0, 2 * value - scattered), calibrated, len(rows), bins, int(rows.min()))


def _folded(gap: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Return the mean of |normal(gap, sd)|; gaps are 0 or more, and a bin of one class has sd 0."""
    ratio = np.divide(gap, sd, out=np.full_like(gap, 40.0), where=sd > 0)
    mean: np.ndarray = sd * math.sqrt(2 / math.pi) * np.exp(-(ratio**2) / 2) + gap * (1 - 2 * ndtr(-ratio))
    return mean
