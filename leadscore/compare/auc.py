"""Intervals, tests and power of AUCs where each lead has one row."""

import math
from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri, stdtr, stdtrit

from leadscore.compare.inputs import check_level, check_rows, one_class
from leadscore.compare.placements import Placements, delong
from leadscore.compare.results import AucTest, Interval
from leadscore.errors import ModelError, did_you_mean

__all__ = [
    "FEW_POSITIVES",
    "TOO_FEW",
    "auc_interval",
    "paired_auc_test",
    "power_of_auc",
    "too_few",
    "unpaired_auc_test",
]

TOO_FEW = 10  # under this many leads in a class: no interval and no verdict
FEW_POSITIVES = 200  # under this many the plain interval of an AUC covers too seldom

ALTERNATIVES = ("two-sided", "greater", "less")


def too_few(positives: int, negatives: int) -> str | None:
    """Return why there is no interval, or None.

    Examples
    --------
    >>> too_few(7, 900)
    'too few leads: 7 converted, 900 did not; at least 10 of each are needed'
    """
    if min(positives, negatives) >= TOO_FEW:
        return None
    return f"too few leads: {positives:,} converted, {negatives:,} did not; at least {TOO_FEW} of each are needed"


def auc_interval(label: Any, score: Any, *, level: float = 0.95, method: str = "rule") -> Interval:
    """Return the AUC with a confidence interval; one row a lead.

    Parameters
    ----------
    label : array-like (n,)
        0 or 1.
    score : array-like (n,)
        Finite.
    level : float
    method : {"rule", "wald", "logit"}
        "wald": AUC ± z SE, cut to [0, 1]. "logit": the same on the scale log(AUC / (1 - AUC)), which covers better
        near 1 and with few positives. "rule": none under 10 rows in a class, logit under 200, else wald.

    Raises
    ------
    ModelError
        As `delong`; for an unknown method or level.

    Examples
    --------
    >>> label = [0] * 30 + [1] * 20
    >>> interval = auc_interval(label, [*range(30), *range(15, 35)])
    >>> interval.value, round(interval.low, 3), round(interval.high, 3)
    (0.8125, 0.67, 0.902)
    >>> auc_interval([0, 1, 1], [1, 2, 3]).reason
    'too few leads: 2 converted, 1 did not; at least 10 of each are needed'
    """
    check_level(level)
    if method not in ("rule", "wald", "logit"):
        raise ModelError(f"no method {method!r}. {did_you_mean(method, ['rule', 'wald', 'logit'])}")
    measured = delong(label, score)
    auc, m, n = float(measured.auc[0]), measured.n_positive, measured.n_negative
    if len(measured.auc) > 1:
        raise ModelError(f"{len(measured.auc)} columns of scores; an interval is of one")
    name = {"rule": "logit" if min(m, n) < FEW_POSITIVES else "wald"}.get(method, method)
    words = {"logit": "DeLong variance on the logit scale", "wald": "DeLong variance"}[name]

    def interval(low: float | None, high: float | None, reason: str | None = None) -> Interval:
        return Interval(auc, low, high, level, words, m + n, m, m + n, reason)

    few = (method == "rule" and too_few(m, n)) or measured.reason
    if few:
        return interval(None, None, few)
    assert measured.covariance is not None
    variance = float(measured.covariance[0, 0])
    if variance == 0.0:
        what = "perfect separation" if auc in (0.0, 1.0) else "the placements do not vary"
        return interval(None, None, f"degenerate: {what}, so the estimated variance is 0 and says nothing")
    reach = float(ndtri((1 + level) / 2)) * math.sqrt(variance)
    if name == "wald":
        return interval(max(auc - reach, 0.0), min(auc + reach, 1.0))
    centre, reach = math.log(auc / (1 - auc)), reach / (auc * (1 - auc))
    return interval(1 / (1 + math.exp(reach - centre)), 1 / (1 + math.exp(-reach - centre)))


def tail(statistic: float, alternative: str, df: float | None = None) -> float:
    """Return the p-value of a z, or of a t with `df`."""

    def below(x: float) -> float:
        return float(ndtr(x) if df is None else stdtr(df, x))

    if alternative == "greater":
        return below(-statistic)
    return below(statistic) if alternative == "less" else min(1.0, 2 * below(-abs(statistic)))


def _check_alternative(alternative: str) -> None:
    if alternative not in ALTERNATIVES:
        raise ModelError(f"no alternative {alternative!r}. {did_you_mean(alternative, ALTERNATIVES)}")


def _both_classes(label: np.ndarray, which: str = "") -> None:
    if reason := one_class(label):
        raise ModelError(f"the AUC{which} needs both classes; {reason}")
    if min(label.sum(), len(label) - label.sum()) < 2:
        raise ModelError(
            f"a test of AUCs{which} needs two rows in each class; {int(label.sum())} of {len(label)} rows converted"
        )


def paired_auc_test(label: Any, a: Any, b: Any, *, level: float = 0.95, alternative: str = "two-sided") -> AucTest:
    """Test whether the AUCs of two scores of the same rows differ (DeLong 1988); one row a lead.

    Parameters
    ----------
    label : array-like (n,)
        0 or 1.
    a, b : array-like (n,)
        Scores of the same rows, in the same order.
    level : float
        Of the interval of the difference, which is two-sided whatever the alternative.
    alternative : {"two-sided", "greater", "less"}
        "greater": B's AUC is greater than A's.

    Raises
    ------
    ModelError
        As `delong`; when a class has one row alone.

    Examples
    --------
    >>> label = [0, 1] * 10
    >>> test = paired_auc_test(label, [x % 7 for x in range(20)], [x % 5 + x % 2 for x in range(20)])
    >>> round(test.difference, 3), round(test.p, 4)
    (0.135, 0.4408)
    >>> paired_auc_test(label, label, label).p
    1.0
    """
    check_level(level)
    _check_alternative(alternative)
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ModelError(
            f"scores of A have shape {first.shape} and of B {second.shape}: a paired test needs the same rows"
        )
    labels, columns = check_rows(label, np.column_stack([first, second]))
    _both_classes(labels)
    places = Placements.of(labels, columns)
    auc_a, auc_b = (float(each) for each in places.auc)
    # One division of a difference of whole numbers: equal AUCs differ by exactly 0.
    pairs = 2 * places.below.shape[1] * places.above.shape[1]
    difference = int(places.below[1].sum() - places.below[0].sum()) / pairs
    variance = places.variance(np.array([-1, 1]))
    method = "paired DeLong test"
    if variance == 0.0:
        if difference == 0.0:
            return AucTest(auc_a, auc_b, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, level, alternative, method)
        reason = "degenerate: every row moved alike, so the estimated variance is 0 and says nothing"
        return AucTest(auc_a, auc_b, difference, None, None, None, None, None, level, alternative, method, None, reason)
    se = math.sqrt(variance)
    reach = float(ndtri((1 + level) / 2)) * se
    z = difference / se
    p = tail(z, alternative)
    return AucTest(
        auc_a, auc_b, difference, se, z, p, difference - reach, difference + reach, level, alternative, method
    )


def unpaired_auc_test(
    label_a: Any, a: Any, label_b: Any, b: Any, *, level: float = 0.95, alternative: str = "two-sided"
) -> AucTest:
    """Test whether the AUCs of scores of different rows differ; one row a lead, no lead on both sides.

    DeLong variances, and a t with Welch's degrees of freedom over the rows of each side, as pROC does it.

    Parameters
    ----------
    label_a, a : array-like (n_a,)
    label_b, b : array-like (n_b,)
    level, alternative
        As in `paired_auc_test`.

    Examples
    --------
    >>> label, a = [0, 1] * 10, [x % 7 for x in range(20)]
    >>> test = unpaired_auc_test(label, a, label, [x % 7 + 2 * (x % 2) for x in range(20)])
    >>> round(test.difference, 3), round(test.p, 4), round(test.df, 1)
    (0.24, 0.1639, 35.5)
    """
    check_level(level)
    _check_alternative(alternative)
    sides = []
    for name, label, score in (("A", label_a, a), ("B", label_b, b)):
        labels, columns = check_rows(label, score)
        _both_classes(labels, f" of {name}")
        places = Placements.of(labels, columns[:, :1])
        sides.append((float(places.auc[0]), places.variance(np.array([1])), len(labels)))
    (auc_a, var_a, n_a), (auc_b, var_b, n_b) = sides
    difference, variance = auc_b - auc_a, var_a + var_b
    method = "unpaired DeLong test, Welch's degrees of freedom"
    if variance == 0.0:
        reason = "degenerate: both estimated variances are 0 and say nothing"
        return AucTest(auc_a, auc_b, difference, None, None, None, None, None, level, alternative, method, None, reason)
    df = variance**2 / (var_a**2 / (n_a - 1) + var_b**2 / (n_b - 1))
    se = math.sqrt(variance)
    reach = float(stdtrit(df, (1 + level) / 2)) * se
    t = difference / se
    p = tail(t, alternative, df)
    low, high = difference - reach, difference + reach
    return AucTest(auc_a, auc_b, difference, se, t, p, low, high, level, alternative, method, df)


def power_of_auc(auc: float, positives: int, negatives: int, *, level: float = 0.95) -> float:
    """Return the power with which an AUC is told from 0.5, two-sided at 1 - level.

    Obuchowski and McClish (1997), Statistics in Medicine 16, 1529-1542: binormal variance of an estimated AUC.

    Examples
    --------
    >>> round(power_of_auc(0.73, 41, 72), 7)
    0.9897453
    """
    check_level(level)
    if not 0.5 < auc < 1 or min(positives, negatives) < 1:
        raise ModelError(
            f"power needs an AUC between 0.5 and 1 and both classes; got {auc}, {positives} positives, "
            f"{negatives} negatives"
        )
    ratio = negatives / positives

    def variance(area: float) -> float:
        # 1.414 and 0.0099 are the formula's own rounded constants.
        shift = 1.414 * float(ndtri(area))
        return 0.0099 * math.exp(-(shift**2) / 2) * (5 * shift**2 + 8 + (shift**2 + 8) / ratio)

    z = (math.sqrt(positives) * (auc - 0.5) - float(ndtri((1 + level) / 2)) * math.sqrt(variance(0.5))) / math.sqrt(
        variance(auc)
    )
    return float(ndtr(z))
