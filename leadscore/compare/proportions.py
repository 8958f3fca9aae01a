"""Shares and paired decisions: Wilson's interval and McNemar's test."""

import math
from typing import Any

import numpy as np
from scipy.special import bdtr, chdtrc, ndtri

from leadscore.compare.inputs import check_level, check_rows, lead_codes
from leadscore.compare.results import PairTest
from leadscore.errors import ModelError, did_you_mean

__all__ = ["independent_difference", "mcnemar", "mcnemar_at", "share_interval", "wilson"]

METHODS = ("rule", "exact", "mid-p", "chi2", "chi2 corrected")


def wilson(successes: float, n: float, *, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a share (Wilson 1927, JASA 22, 209-212).

    Parameters
    ----------
    successes, n : float
        0 <= successes <= n, n at least 1; whole numbers, or such as many dependent rows are worth.

    Examples
    --------
    >>> [round(bound, 4) for bound in wilson(8, 10)]
    [0.4902, 0.9433]
    >>> [round(bound, 4) for bound in wilson(0, 20)]
    [0.0, 0.1611]
    """
    check_level(level)
    if not 0 <= successes <= n or n < 1:
        raise ModelError(f"{successes} of {n} is no share")
    z = float(ndtri((1 + level) / 2))
    share, room = successes / n, z * z / n
    centre = (share + room / 2) / (1 + room)
    reach = math.sqrt(share * (1 - share) * room + room * room / 4) / (1 + room)
    return (0.0 if successes == 0 else centre - reach), (1.0 if successes == n else centre + reach)


def share_interval(label: Any, lead: Any = None, *, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of the share of rows that are 1, Wilson's where each row is a lead of its own.

    Rows of one lead are not independent: n rows are then taken for n / d, d being by how much the variance between
    leads exceeds that of independent rows (Kish 1965, Survey Sampling), so many leads at least and n at most. Where all
    rows are alike d is unknown, and they are taken for as many as there are leads.

    Parameters
    ----------
    label : array-like (n,)
        0 or 1; at least one row.
    lead : array-like (n,), optional
        Each row's lead.

    Examples
    --------
    >>> share_interval([1, 1, 0, 0]) == wilson(2, 4)
    True
    >>> share_interval([1, 1, 0, 0], ["a", "a", "b", "b"]) == wilson(1, 2)
    True
    """
    labels = np.asarray(label, dtype="float64")
    n, share = len(labels), float(labels.mean()) if len(labels) else 0.0
    worth: float = n
    codes, leads = lead_codes(lead, n)
    if leads < n:
        worth = leads
        if 0 < share < 1 and leads > 1:
            apart = np.bincount(codes, weights=labels - share, minlength=leads)
            variance = float((apart**2).sum()) / n**2 * leads / (leads - 1)
            worth = min(n, max(leads, share * (1 - share) / variance)) if variance else n
    return wilson(min(share * worth, worth), worth, level=level)


def independent_difference(a: tuple[float, float, float], b: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return B - A with its interval, from the intervals of two estimates on different leads.

    The distances to each interval's ends are squared and added (Newcombe 1998, Stat Med 17, 873-890, method 10, for
    shares; Zou and Donner 2008, Stat Med 27, 1693-1702, for other estimates).

    Parameters
    ----------
    a, b : (value, low, high)
        At one level, which is also that of the result.

    Examples
    --------
    >>> a, b = (48 / 80, *wilson(48, 80)), (56 / 70, *wilson(56, 70))
    >>> [round(each, 4) for each in independent_difference(a, b)]  # Newcombe's own example, the other way round
    [0.2, 0.0524, 0.3339]
    """
    difference = b[0] - a[0]
    below, above = math.hypot(b[0] - b[1], a[2] - a[0]), math.hypot(b[2] - b[0], a[0] - a[1])
    return difference, difference - below, difference + above


def mcnemar(b: int, c: int, *, method: str = "rule") -> PairTest:
    """Test whether two decisions on the same rows are right equally often (McNemar 1947, Psychometrika 12, 153-157).

    Parameters
    ----------
    b, c : int
        Rows that A alone got right, and rows that B alone got right. The others say nothing.
    method : {"rule", "exact", "mid-p", "chi2", "chi2 corrected"}
        "rule": exact when b + c < 25, else mid-p (Fagerland and others 2013, BMC Med Res Methodol 13:91).
        "chi2 corrected": with Edwards' continuity correction.

    Returns
    -------
    PairTest
        `statistic` is min(b, c) for the binomial methods, else chi squared with 1 degree of freedom.

    Examples
    --------
    >>> f"{mcnemar(59, 121, method='chi2 corrected').p:.3e}", f"{mcnemar(59, 121, method='exact').p:.3e}"
    ('5.450e-06', '4.434e-06')
    >>> mcnemar(0, 0)
    PairTest(statistic=None, p=1.0, method='exact McNemar test', reason='both decide alike on every row')
    """
    if min(b, c) < 0:
        raise ModelError(f"counts of rows are 0 or more; got {b} and {c}")
    if method not in METHODS:
        raise ModelError(f"no method {method!r}. {did_you_mean(method, METHODS)}")
    n = b + c
    name = {"rule": "exact" if n < 25 else "mid-p"}.get(method, method)
    words = f"{name} McNemar test"
    if n == 0:
        return PairTest(None, 1.0, words, "both decide alike on every row")
    if name.startswith("chi2"):
        chi2 = max(abs(b - c) - (name == "chi2 corrected"), 0) ** 2 / n
        return PairTest(chi2, float(chdtrc(1, chi2)), words)
    least = min(b, c)
    p = 2 * float(bdtr(least, n, 0.5))
    if name == "mid-p":
        p -= math.exp(math.lgamma(n + 1) - math.lgamma(b + 1) - math.lgamma(c + 1) - n * math.log(2))
    return PairTest(float(least), min(1.0, p), words)


def mcnemar_at(label: Any, a: Any, b: Any, threshold: float, *, method: str = "rule") -> PairTest:
    """Test two scores of the same rows as decisions: a row is called when its score is at least `threshold`.

    Assumes one row a lead.

    Examples
    --------
    >>> mcnemar_at([1, 1, 1, 0], [0.1, 0.2, 0.9, 0.1], [0.9, 0.9, 0.9, 0.1], 0.5).p
    0.5
    """
    labels, columns = check_rows(label, np.column_stack([np.asarray(a, float), np.asarray(b, float)]))
    right = (columns >= threshold) == labels[:, None]
    return mcnemar(int((right[:, 0] & ~right[:, 1]).sum()), int((right[:, 1] & ~right[:, 0]).sum()), method=method)
