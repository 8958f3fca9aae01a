"""A 95% interval for every metric of one model, by one rule."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from leadscore.compare.auc import auc_interval, too_few
from leadscore.compare.inputs import Labels, check_level, check_rows, lead_codes
from leadscore.compare.resampling import RESAMPLES, Bootstrap, Sample, bootstrap, resample
from leadscore.compare.results import Interval
from leadscore.compare.statistics import STATISTICS, Statistic, statistic, weighted

__all__ = ["leads_by_class", "mean_intervals", "metric_intervals"]


def leads_by_class(label: Labels, codes: np.ndarray, leads: int) -> tuple[int, int]:
    """Return how many leads have a row that converted, and how many have one that did not.

    Examples
    --------
    >>> leads_by_class(np.array([True, True, False]), np.array([0, 0, 1]), 2)
    (1, 1)
    """
    return (
        int(np.count_nonzero(np.bincount(codes[label], minlength=leads))),
        int(np.count_nonzero(np.bincount(codes[~label], minlength=leads))),
    )


def metric_intervals(
    label: Any,
    score: Any,
    *,
    lead: Any = None,
    metrics: Sequence[str | Statistic] = tuple(STATISTICS),
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return each metric with its interval.

    None under 10 leads in a class. The AUC with one row a lead: DeLong, under 200 rows in a class on the logit scale.
    Everything else: the bootstrap of leads, one set of resamples for all metrics.

    Parameters
    ----------
    label : array-like (n,)
        0 or 1.
    score : array-like (n,)
        Probabilities in [0, 1] when a metric takes them (Brier, log loss), else any finite numbers.
    lead : array-like (n,), optional
        Each row's lead; without it each row is a lead of its own.
    metrics : sequence of str or Statistic
    level : float
    resamples, seed : int
        Of the bootstrap.

    Returns
    -------
    dict of str to Interval
        In the order of `metrics`.

    Raises
    ------
    ModelError, ConfigError
        As `bootstrap`.

    Examples
    --------
    >>> label = [0] * 30 + [1] * 20
    >>> score = [x / 40 for x in [*range(30), *range(15, 35)]]
    >>> found = metric_intervals(label, score, metrics=["auc", "brier"])
    >>> found["auc"].method, found["brier"].method
    ('DeLong variance on the logit scale', 'bootstrap of leads, percentiles')
    >>> metric_intervals([0, 1], [0.2, 0.4], metrics=["brier"])["brier"].reason
    'too few leads: 1 converted, 1 did not; at least 10 of each are needed'
    """
    check_level(level)
    chosen = [statistic(metric) for metric in metrics]
    takes = "probability" if any(each.takes == "probability" for each in chosen) else "score"
    labels, columns = check_rows(label, score, takes)
    codes, leads = lead_codes(lead, len(labels))
    few = too_few(*leads_by_class(labels, codes, leads))
    if few:
        return {each.name: _without(each, labels, columns[:, 0], level, leads, few) for each in chosen}
    found = {}
    if leads == len(labels) and any(each.name == "auc" for each in chosen):
        found["auc"] = auc_interval(labels, columns[:, 0], level=level)
    rest = [each for each in chosen if each.name not in found]
    if rest:
        measured = bootstrap(labels, columns, lead=codes, metrics=rest, resamples=resamples, seed=seed)
        found |= {each.name: measured.interval(each, level=level) for each in rest}
    return {each.name: replace(found[each.name], leads=leads) for each in chosen}


def mean_intervals(
    folds: Sequence[tuple[Any, Any, Any]],
    *,
    metrics: Sequence[str | Statistic] = tuple(STATISTICS),
    level: float = 0.95,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return each metric's mean over several folds with its interval; of one fold as `metric_intervals` does.

    A lead that has rows in several folds is drawn for all of them, so that its folds are not taken for independent.

    Parameters
    ----------
    folds : sequence of (label, score, lead)
        Each as `metric_intervals` takes them; a lead has one name in all folds.
    metrics, level, resamples, seed
        As for `metric_intervals`.

    Returns
    -------
    dict of str to Interval
        `n`, `positives` and `leads` are of all folds together. None while a fold has under 10 leads in a class.

    Examples
    --------
    >>> label, score = [0] * 30 + [1] * 20, [x / 40 for x in [*range(30), *range(15, 35)]]
    >>> fold = label, score, [f"u{n}" for n in range(50)]
    >>> one, both = (mean_intervals(each, metrics=["brier"])["brier"] for each in ([fold], [fold, fold]))
    >>> one.value == both.value, one.low == both.low, both.n, both.leads
    (True, True, 100, 50)
    """
    if len(folds) == 1:
        label, score, lead = folds[0]
        return metric_intervals(label, score, lead=lead, metrics=metrics, level=level, resamples=resamples, seed=seed)
    check_level(level)
    chosen = tuple(statistic(metric) for metric in metrics)
    takes = "probability" if any(each.takes == "probability" for each in chosen) else "score"
    checked = [check_rows(label, score, takes) for label, score, _ in folds]
    labels = np.concatenate([label for label, _ in checked])
    codes, leads = lead_codes(np.concatenate([np.asarray(lead) for *_, lead in folds]), len(labels))
    own = np.split(codes, np.cumsum([len(label) for label, _ in checked])[:-1])
    samples = [Sample(*rows, lead) for rows, lead in zip(checked, own, strict=True)]
    values, draws = resample(samples, leads, chosen, resamples, seed)
    means = Bootstrap(chosen, values.mean(axis=0), draws.mean(axis=1), seed, len(labels), int(labels.sum()), leads)
    found = {each.name: means.interval(each, level=level) for each in chosen}
    for number, sample in enumerate(samples):
        if few := too_few(*leads_by_class(sample.label, sample.lead, leads)):
            reason = f"fold {number} has {few}"
            return {
                name: replace(each, low=None, high=None, method="none", reason=reason) for name, each in found.items()
            }
    return found


def _without(each: Statistic, label: Labels, score: np.ndarray, level: float, leads: int, reason: str) -> Interval:
    value = weighted(each, label, score)
    known = value if np.isfinite(value) else None
    return Interval(known, None, None, level, "none", len(label), int(label.sum()), leads, reason)
