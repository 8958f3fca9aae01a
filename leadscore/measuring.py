"""How sure a run's numbers are, and what they are worth: intervals, calibration, slices, calls a week.

All of it is about the first seed's validation rows, fold by fold, and resamples leads.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leadscore.config.schema import Config, MetricsConfig
from leadscore.results import Baseline, Dataset, FoldResult

if TYPE_CHECKING:
    from leadscore.evaluate import Gain

__all__ = ["gain_over", "measure_fold"]

CELLS = 5_000_000  # rows times resamples held at once


def measure_fold(dataset: Dataset, config: Config, fold: FoldResult) -> dict[str, Any]:
    """Return what `metrics.json` says of a fold besides its metrics.

    Returns
    -------
    dict
        `intervals` by metric; `brier_parts` and `calibration_error`; `slices` and `capacity` where the config asks
        for them.
    """
    from leadscore.compare import brier_parts, calibration_error, metric_intervals

    label, probability = fold.label.to_numpy(), fold.probability.to_numpy()
    lead = fold.label.index.get_level_values("user_id")
    asked = config.metrics
    intervals = metric_intervals(label, probability, lead=lead, resamples=asked.resamples)
    measured: dict[str, Any] = {
        "intervals": {name: interval.to_json() for name, interval in intervals.items()},
        "brier_parts": brier_parts(label, probability).to_json(),
        "calibration_error": calibration_error(label, probability).to_json(),
    }
    if asked.slices:
        measured["slices"] = _slices(dataset, asked, fold)
    if asked.capacity is not None:
        measured["capacity"] = _capacity(config, asked.capacity, fold)
    return measured


def gain_over(fold: FoldResult, baseline: Baseline, looks: int, resamples: int) -> "Gain":
    """Return the paired test, by lead, of the model's AUC against a baseline's; each look at the rows is one more.

    Parameters
    ----------
    fold : FoldResult
    baseline : Baseline
        Scored on the fold's validation rows.
    looks : int
        How many runs were measured on these rows, this one among them.
    resamples : int
        Of leads, where a lead has several rows.
    """
    from leadscore.compare import Scores, verdict
    from leadscore.evaluate import Gain

    lead, as_of = (fold.label.index.get_level_values(name) for name in ("user_id", "as_of"))
    scores = [Scores.of(fold.label, each, lead, as_of) for each in (baseline.probability, fold.probability)]
    found = verdict(*scores, family=looks, resamples=resamples)
    p = found.p if found.p_adjusted is None else found.p_adjusted
    better = found.answer == "better"
    return Gain(found.difference, found.low, found.high, p, looks, found.reason, better)


def _slices(dataset: Dataset, asked: MetricsConfig, fold: FoldResult) -> list[dict[str, Any]]:
    from leadscore.compare import measure_slices

    rows = dataset.observations.frame["lead_row"].set_axis(dataset.X.index).loc[fold.label.index]
    columns = dataset.tables.leads[asked.slices].iloc[rows.to_numpy()].reset_index(drop=True)
    lead = fold.label.index.get_level_values("user_id")
    found = measure_slices(fold.label.to_numpy(), fold.probability.to_numpy(), columns, lead=lead)
    return [each.to_json() for each in found]


def _capacity(config: Config, capacity: int, fold: FoldResult) -> dict[str, Any]:
    from leadscore.evaluate.capacity import caught_by_week, measure_capacity, weeks_of

    asked = config.metrics
    as_of = fold.label.index.get_level_values("as_of")
    week = weeks_of(as_of, as_of.min().floor("D"))
    recency = fold.baselines.get("recency")
    found = measure_capacity(
        fold.label,
        fold.probability,
        week,
        capacity,
        recency=None if recency is None else recency.probability,
        value=asked.value,
        cost=asked.cost,
        currency=asked.currency or config.data.currency,
    )
    label, score = fold.label.to_numpy(), fold.probability.to_numpy()
    drawn = [caught_by_week(label, score, week, capacity, some) for some in _resampled(fold.label, asked.resamples)]
    caught, calls = (np.concatenate(each) for each in zip(*drawn, strict=True))
    return {**found.to_json(), **_interval("caught", caught), **_interval("hit_rate", caught / calls.clip(1))}


def _resampled(label: pd.Series, resamples: int) -> Iterator[np.ndarray]:
    """Yield how often each row stands in each resample of leads, some resamples at a time (some, n)."""
    codes, leads = pd.factorize(label.index.get_level_values("user_id"))
    rng, at_once = np.random.default_rng(0), max(1, CELLS // len(label))
    for first in range(0, resamples, at_once):
        some = min(at_once, resamples - first)
        yield rng.multinomial(len(leads), np.full(len(leads), 1 / len(leads)), size=some)[:, codes].astype("float64")


def _interval(name: str, values: Any) -> dict[str, float]:
    low, high = np.quantile(values, [0.025, 0.975])
    return {f"{name}_low": float(low), f"{name}_high": float(high)}
