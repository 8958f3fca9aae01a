"""The difference of two runs in one metric, over seeds and folds, and how far chance in the leads moves it."""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from leadscore.compare.aligned import FoldPair, Pair
from leadscore.compare.auc import tail
from leadscore.compare.placements import Placements
from leadscore.compare.resampling import Sample, bootstrap_p, percentile_interval, resample
from leadscore.compare.statistics import Statistic, weighted

__all__ = ["Estimate", "FoldEstimate", "estimate", "measure"]


@dataclass(frozen=True)
class FoldEstimate:
    """One fold: the mean metric of each run's seeds, their difference and its interval; None where undefined."""

    number: int
    a: float | None
    b: float | None
    difference: float | None
    low: float | None
    high: float | None
    n: int
    positives: int


@dataclass(frozen=True)
class Estimate:
    """The difference B - A, averaged over folds, the models taken as they are.

    Attributes
    ----------
    a, b, difference : float
    variance : float
        Sampling variance of the difference.
    values : float64 (k,)
        Each seed's metric, averaged over folds: A's seeds first.
    covariance : float64 (k, k)
        Their sampling covariance.
    folds : list of FoldEstimate
    draws : float64 (resamples,) or None
        Of the difference; None for DeLong.
    undefined : int
        Resamples in which the metric had no value.
    """

    a: float
    b: float
    difference: float
    variance: float
    values: np.ndarray
    covariance: np.ndarray
    folds: list[FoldEstimate]
    draws: np.ndarray | None = None
    undefined: int = 0

    def interval(self, level: float) -> tuple[float, float]:
        """Return the interval of the difference: normal for DeLong, percentiles for the bootstrap."""
        if self.draws is not None:
            return percentile_interval(self.draws, level)
        return _normal(self.difference, self.variance, level)

    @property
    def p(self) -> float | None:
        """The two-sided p-value."""
        if self.draws is not None:
            return bootstrap_p(self.difference, self.draws)
        return tail(self.difference / math.sqrt(self.variance), "two-sided") if self.variance else 1.0


def _normal(difference: float, variance: float, level: float) -> tuple[float, float]:
    reach = float(ndtri((1 + level) / 2)) * math.sqrt(variance)
    return difference - reach, difference + reach


def estimate(pair: Pair, metric: Statistic, level: float, resamples: int, seed: int) -> Estimate:
    """Return the difference by DeLong where the metric is the AUC and each lead has one row, else by bootstrap.

    Where DeLong's variance is 0 and the difference is not (every row moved alike), the bootstrap is asked.
    """
    if metric.name == "auc" and pair.one_row_a_lead:
        found = _by_delong(pair, level)
        if found.variance > 0 or found.difference == 0:
            return found
    return _by_bootstrap(pair, metric, level, resamples, seed)


def measure(pair: Pair, metric: Statistic) -> list[FoldEstimate]:
    """Return each fold's metrics as they are, without intervals."""
    folds = []
    for fold in pair.folds:
        a, b = _plain(metric, fold.label, fold.a), _plain(metric, fold.label, fold.b)
        difference = None if a is None or b is None else b - a
        folds.append(FoldEstimate(fold.number, a, b, difference, None, None, len(fold.label), int(fold.label.sum())))
    return folds


def _plain(metric: Statistic, label: np.ndarray, scores: np.ndarray) -> float | None:
    """Return the mean over seeds, None where the metric is undefined."""
    value = _mean([weighted(metric, label, scores[:, seed]) for seed in range(scores.shape[1])])
    return value if math.isfinite(value) else None


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def _by_delong(pair: Pair, level: float) -> Estimate:
    folds, sides, values, covariance, variances = [], [], [], [], []
    for fold in pair.folds:
        k_a, k_b = fold.a.shape[1], fold.b.shape[1]
        places = Placements.of(fold.label, np.hstack([fold.a, fold.b]))
        # Whole numbers until the last division: equal runs differ by exactly 0, swapped ones by exactly the negative.
        contrast = np.array([-k_b] * k_a + [k_a] * k_b)
        sums = places.below.sum(axis=1)
        pairs = 2 * places.below.shape[1] * places.above.shape[1]
        difference = int(contrast @ sums) / (pairs * k_a * k_b)
        variance = places.variance(contrast) / (k_a * k_b) ** 2
        a, b = int(sums[:k_a].sum()) / (pairs * k_a), int(sums[k_a:].sum()) / (pairs * k_b)
        folds.append(_fold(fold, a, b, difference, *_normal(difference, variance, level)))
        sides.append((a, b, difference))
        variances.append(variance)
        values.append(places.auc)
        covariance.append(places.covariance)
    # Folds share no lead here, so their errors are independent.
    return Estimate(
        _mean([a for a, _, _ in sides]),
        _mean([b for _, b, _ in sides]),
        _mean([difference for _, _, difference in sides]),
        sum(variances) / len(folds) ** 2,
        np.mean(values, axis=0),
        np.sum(covariance, axis=0) / len(folds) ** 2,
        folds,
    )


def _fold(fold: FoldPair, a: float, b: float, difference: float, low: float | None, high: float | None) -> FoldEstimate:
    return FoldEstimate(fold.number, a, b, difference, low, high, len(fold.label), int(fold.label.sum()))


def _by_bootstrap(pair: Pair, metric: Statistic, level: float, resamples: int, seed: int) -> Estimate:
    k_a = pair.folds[0].a.shape[1]
    samples = [Sample(fold.label, np.hstack([fold.a, fold.b]), fold.lead) for fold in pair.folds]
    plain, draws = (each[..., 0, :] for each in resample(samples, pair.leads, [metric], resamples, seed))
    a, b = plain[:, :k_a].mean(axis=1), plain[:, k_a:].mean(axis=1)
    moved = draws[..., k_a:].mean(axis=-1) - draws[..., :k_a].mean(axis=-1)  # (resamples, folds)
    defined = np.isfinite(moved).all(axis=1)
    folds = []
    for number, fold in enumerate(pair.folds):
        own = moved[np.isfinite(moved[:, number]), number]
        bounds = percentile_interval(own, level) if len(own) else (None, None)
        folds.append(_fold(fold, float(a[number]), float(b[number]), float(b[number] - a[number]), *bounds))
    differences = moved[defined].mean(axis=1)
    by_seed = draws[defined].mean(axis=1)
    enough = len(differences) > 1
    k = plain.shape[1]
    return Estimate(
        _mean(a.tolist()),
        _mean(b.tolist()),
        _mean((b - a).tolist()),
        float(np.var(differences, ddof=1)) if enough else math.nan,
        plain.mean(axis=0),
        np.cov(by_seed, rowvar=False).reshape(k, k) if enough else np.full((k, k), math.nan),
        folds,
        differences,
        int((~defined).sum()),
    )
