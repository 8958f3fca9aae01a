"""Many comparisons: what p-values are worth in a family, and what luck gives to the best of a sweep."""

import math
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri

from leadscore.compare.inputs import check_level, check_probabilities
from leadscore.errors import ModelError

__all__ = ["benjamini_hochberg", "expected_gain_by_luck", "holm", "smallest_detectable"]


def holm(p: Any) -> np.ndarray:
    """Return Holm's adjusted p-values (Holm 1979, Scand J Statist 6, 65-70): no false alarm in 95% of families.

    Parameters
    ----------
    p : array-like (k,)

    Returns
    -------
    float64 (k,)
        In the order given; reject those under 0.05.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = check_probabilities(p)
    order = np.argsort(values, kind="stable")
    steps = np.arange(len(values), 0, -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(values[order] * steps))
    return adjusted


def benjamini_hochberg(p: Any) -> np.ndarray:
    """Return adjusted p-values that bound the share of false discoveries (Benjamini and Hochberg 1995, JRSS B 57).

    For exploring; "better than the baseline" is judged by `holm`.

    Examples
    --------
    >>> [round(float(each), 3) for each in benjamini_hochberg([0.01, 0.04, 0.03, 0.5])]
    [0.04, 0.053, 0.053, 0.5]
    """
    values = check_probabilities(p)
    order = np.argsort(values, kind="stable")[::-1]
    k = len(values)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(values[order] * k / np.arange(k, 0, -1)))
    return adjusted


def expected_gain_by_luck(models: int, se_difference: float) -> float:
    """Return how much better than the average the best of equal models is expected to look.

    The expected maximum of `models` independent normal errors. Two equal models differ by sqrt(2) times such an
    error, so its standard deviation is that of a difference, divided by sqrt(2).

    Parameters
    ----------
    models : int
        How many were tried, 1 or more.
    se_difference : float
        Standard error of the difference between two of them, in units of the metric.

    Examples
    --------
    >>> round(expected_gain_by_luck(50, 0.021), 3)
    0.033
    >>> expected_gain_by_luck(1, 0.021)
    0.0
    """
    if models < 1 or not (se_difference >= 0 and math.isfinite(se_difference)):
        raise ModelError(f"got {models} models and a standard error of {se_difference}: 1 or more, and 0 or more")
    if models == 1:
        return 0.0
    # E max = integral of x d(ndtr(x)^k); a trapezoid converges fast for an integrand that dies out at both ends.
    x = np.linspace(-12.0, 12.0, 4_801)
    density = models * np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi) * ndtr(x) ** (models - 1)
    return float((x * density).sum() * (x[1] - x[0])) * se_difference / math.sqrt(2)


def smallest_detectable(se: float, *, power: float = 0.8, level: float = 0.95) -> float:
    """Return the true difference that a two-sided test at 1 - level finds with this power: 2.8 SE by default.

    Examples
    --------
    >>> round(smallest_detectable(0.01), 4)
    0.028
    """
    check_level(level)
    check_level(power)
    return float(ndtri((1 + level) / 2) + ndtri(power)) * se
