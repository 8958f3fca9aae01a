"""The clustered bootstrap: leads are drawn, and each brings all its rows, the same for every model.

Efron and Tibshirani (1993), An Introduction to the Bootstrap; Davison and Hinkley (1997), section 3.8, for clusters.
Rows of one lead are not independent: drawing rows instead would take six snapshots of a lead for six leads.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from leadscore.compare.inputs import Labels, Rows, check_level, check_rows, lead_codes
from leadscore.compare.results import Interval
from leadscore.compare.statistics import Curve, Ranked, Statistic, statistic
from leadscore.errors import ModelError

__all__ = ["RESAMPLES", "Bootstrap", "Sample", "bootstrap", "bootstrap_p", "percentile_interval", "resample"]

RESAMPLES = 2_000
BLOCK = 400_000  # weights held at once, so that a block stays in the processor's cache
TAIL = 10  # resamples; a tail of fewer is too short to count a probability by


@dataclass(frozen=True)
class Sample:
    """Rows that are measured together, such as one fold's.

    Attributes
    ----------
    label : bool (n,)
    scores : float64 (n, k)
        A column a model.
    lead : int64 (n,)
        Each row's lead, 0 up to the number of leads of all samples together.
    """

    label: Labels
    scores: Rows
    lead: np.ndarray


class _Plan:
    """What one sample needs for every resample, computed once."""

    def __init__(self, sample: Sample, metrics: Sequence[Statistic], leads: int) -> None:
        self.metrics = metrics
        self.k = sample.scores.shape[1]
        curves = any(metric.of_curve for metric in metrics)
        self.ranked = [Ranked.of(sample.label, sample.scores[:, column]) for column in range(self.k if curves else 0)]
        self.leads = [sample.lead[ranked.order] for ranked in self.ranked]
        # A mean over rows needs only each lead's sum of losses and number of rows.
        self.losses = {
            number: np.column_stack(
                [
                    np.bincount(sample.lead, metric.of_row(sample.label, sample.scores[:, column]), leads)
                    for column in range(self.k)
                ]
            )
            for number, metric in enumerate(metrics)
            if metric.of_row
        }
        self.rows = np.bincount(sample.lead, minlength=leads).astype(np.float64)

    def values(self, counts: np.ndarray) -> np.ndarray:
        """Return (b, metrics, k) for the number of times that each lead was drawn (b, leads)."""
        out = np.empty((len(counts), len(self.metrics), self.k))
        for number, sums in self.losses.items():
            # einsum, not a matrix product: its sums do not depend on the number of threads.
            rows = np.einsum("bl,l->b", counts, self.rows)
            total = np.einsum("bl,lk->bk", counts, sums)
            out[:, number] = np.divide(total, rows[:, None], out=np.full_like(total, np.nan), where=rows[:, None] > 0)
        for column, (ranked, lead) in enumerate(zip(self.ranked, self.leads, strict=True)):
            curve: Curve = ranked.curve(counts.take(lead, axis=1))
            for number, metric in enumerate(self.metrics):
                if metric.of_curve:
                    out[:, number, column] = metric.of_curve(curve)
        return out


def _draw(leads: int, resamples: int, seed: int, block: int) -> Iterator[np.ndarray]:
    """Yield how often each lead was drawn (b, leads), the same whatever the size of the blocks."""
    rng = np.random.default_rng(seed)
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(0, leads, size=(size, leads))
        drawn += np.arange(size)[:, None] * leads
        yield np.bincount(drawn.ravel(), minlength=size * leads).reshape(size, leads).astype(np.float64)


def resample(
    samples: Sequence[Sample], leads: int, metrics: Sequence[Statistic], resamples: int = RESAMPLES, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Return the metrics (samples, metrics, k), and those of each resample (resamples, samples, metrics, k).

    All samples share each draw of leads: a lead that has rows in several folds is drawn for all of them.
    """
    if resamples < 1:
        raise ModelError(f"resamples is {resamples}: at least 1, and 2,000 for a 95% interval")
    plans = [_Plan(sample, metrics, leads) for sample in samples]
    plain = np.array([plan.values(np.ones((1, leads)))[0] for plan in plans])
    block = max(1, BLOCK // max(leads, *(len(sample.label) for sample in samples)))
    draws = np.concatenate(
        [np.stack([plan.values(counts) for plan in plans], axis=1) for counts in _draw(leads, resamples, seed, block)]
    )
    return plain, draws


@dataclass(frozen=True)
class Bootstrap:
    """Metrics of k models on the same rows, and their values in each resample of leads.

    Attributes
    ----------
    metrics : tuple of Statistic
    values : float64 (metrics, k)
        On the rows as they are; NaN where undefined.
    draws : float64 (resamples, metrics, k)
    seed : int
    n, positives, leads : int
    """

    metrics: tuple[Statistic, ...]
    values: np.ndarray
    draws: np.ndarray
    seed: int
    n: int
    positives: int
    leads: int

    def _number(self, metric: str | Statistic) -> int:
        return [each.name for each in self.metrics].index(statistic(metric).name)

    def interval(self, metric: str | Statistic, column: int = 0, *, level: float = 0.95) -> Interval:
        """Return the metric of one model with its percentile interval."""
        number = self._number(metric)
        return self._interval(float(self.values[number, column]), self.draws[:, number, column], level)

    def difference(self, metric: str | Statistic, a: int = 0, b: int = 1, *, level: float = 0.95) -> Interval:
        """Return the metric of model `b` minus that of `a`, with its percentile interval."""
        values, draws = self.values[self._number(metric)], self.draws[:, self._number(metric)]
        return self._interval(float(values[b] - values[a]), draws[:, b] - draws[:, a], level)

    def p(self, metric: str | Statistic, a: int = 0, b: int = 1) -> float | None:
        """Return the two-sided p-value of that difference; see `bootstrap_p`."""
        values, draws = self.values[self._number(metric)], self.draws[:, self._number(metric)]
        return bootstrap_p(float(values[b] - values[a]), draws[:, b] - draws[:, a])

    def _interval(self, value: float, draws: np.ndarray, level: float) -> Interval:
        check_level(level)
        defined = draws[np.isfinite(draws)]
        reason = None
        if not math.isfinite(value):
            reason = f"undefined: {self.positives} of {self.n} rows converted"
        elif len(defined) < len(draws) / 2:
            reason = f"undefined in {len(draws) - len(defined)} of {len(draws)} resamples: too few leads in a class"
        low, high = (None, None) if reason else percentile_interval(defined, level)
        return Interval(
            value if math.isfinite(value) else None,
            low,
            high,
            level,
            "bootstrap of leads, percentiles",
            self.n,
            self.positives,
            self.leads,
            reason,
            len(draws),
            self.seed,
            len(draws) - len(defined),
        )


def percentile_interval(draws: np.ndarray, level: float = 0.95) -> tuple[float, float]:
    """Return the interval between two order statistics that lie equally far from the ends.

    The same rank from below and above, so that the negative of every draw gives exactly the negative interval.

    Examples
    --------
    >>> percentile_interval(np.arange(1.0, 2000.0))
    (50.0, 1950.0)
    """
    rank = max(1, math.floor(round((1 - level) / 2 * (len(draws) + 1), 9)))
    ordered = np.sort(draws)
    return float(ordered[rank - 1]), float(ordered[-rank])


def bootstrap_p(value: float, draws: np.ndarray) -> float | None:
    """Return the two-sided p-value of a difference from its resamples.

    Twice the share of resamples on the other side of 0, counted so that it is never 0 (Davison and Hinkley 1997,
    section 4.2): it agrees with the percentile interval. A tail of fewer than 10 resamples is too short to count;
    then the normal tail at the bootstrap's standard error is used, as far as it does not contradict the count.

    Parameters
    ----------
    value : float
        The difference on the rows as they are.
    draws : float64 (resamples,)

    Returns
    -------
    float or None
        None when no resample has a value.

    Examples
    --------
    >>> draws = np.arange(-99.0, 901.0)
    >>> round(bootstrap_p(400.0, draws), 4)  # 100 of 1,000 at or below 0
    0.2018
    >>> round(bootstrap_p(0.0, np.array([-1.0, 0.0, 1.0])), 4)
    1.0
    """
    defined = draws[np.isfinite(draws)]
    if not len(defined) or not math.isfinite(value):
        return None
    count = int(min((defined <= 0).sum(), (defined >= 0).sum()))
    counted = min(1.0, 2 * (count + 1) / (len(defined) + 1))
    spread = float(np.std(defined, ddof=1)) if len(defined) > 1 else 0.0
    if count >= TAIL or spread == 0.0:
        return counted
    at_most = min(1.0, 2 * (TAIL + 1) / (len(defined) + 1))
    return min(at_most, 2 * float(ndtr(-abs(value) / spread)))


def bootstrap(
    label: Any,
    scores: Any,
    *,
    lead: Any = None,
    metrics: Sequence[str | Statistic] = ("auc",),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Bootstrap:
    """Resample leads and measure every model on each resample.

    Parameters
    ----------
    label : array-like (n,)
        0 or 1.
    scores : array-like (n,) or (n, k)
        A column a model; the models meet the same resamples, so that their differences are paired.
    lead : array-like (n,), optional
        Each row's lead; without it each row is a lead of its own.
    metrics : sequence of str or Statistic
        Names as in `STATISTICS`.
    resamples : int
    seed : int
        The same seed gives the same resamples.

    Raises
    ------
    ModelError
        When a label, a score or a lead is not allowed, or lengths differ.
    ConfigError
        When a metric is unknown.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> label = np.arange(300) % 3 == 0
    >>> a, b = label + rng.normal(size=300), label + rng.normal(size=300)
    >>> measured = bootstrap(label, np.column_stack([a, b]), lead=np.arange(300) // 2, metrics=["auc"])
    >>> interval = measured.difference("auc")
    >>> interval.leads, interval.low < 0 < interval.high
    (150, True)
    """
    chosen = tuple(statistic(metric) for metric in metrics)
    takes = "probability" if any(metric.takes == "probability" for metric in chosen) else "score"
    labels, columns = check_rows(label, scores, takes)
    codes, leads = lead_codes(lead, len(labels))
    values, draws = resample([Sample(labels, columns, codes)], leads, chosen, resamples, seed)
    return Bootstrap(chosen, values[0], draws[:, 0], seed, len(labels), int(labels.sum()), leads)
