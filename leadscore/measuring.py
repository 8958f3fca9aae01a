"""How sure a run's numbers are, and what they are worth: intervals, calibration, slices, calls a week.

All of it is about the first seed's validation rows, fold by fold, and resamples leads.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leadscore.config.schema import Config, MetricsConfig
from leadscore.results import Dataset, FoldResult

if TYPE_CHECKING:
    from leadscore.evaluate import Gain

__all__ = ["gain_over", "measure_fold", "measure_mean"]

CELLS = 5_000_000  # rows times resamples held at once


def measure_fold(dataset: Dataset, config: Config, fold: FoldResult) -> dict[str, Any]:
    """Return what `metrics.json` says of a fold besides its metrics and their intervals.

    Returns
    -------
    dict
        `brier_parts` and `calibration_error`; `slices` and `capacity` where the config asks
        for them.
    """
    from leadscore.compare import brier_parts, calibration_error

    label, probability, _ = _rows(fold)
    asked = config.metrics
    measured: dict[str, Any] = {
        "brier_parts": brier_parts(label, probability).to_json(),
        "calibration_error": calibration_error(label, probability).to_json(),
    }
    if asked.slices:
        measured["slices"] = _slices(dataset, asked, fold)
    if asked.capacity is not None:
        measured["capacity"] = _capacity(config, asked.capacity, fold)
    return measured


def measure_mean(folds: Sequence[FoldResult], asked: MetricsConfig) -> dict[str, Any]:
    """Return the intervals of metrics that are means over folds, and what else was asked for.

    Returns
    -------
    dict
        `intervals` by metric; `precision_at_recall`, an interval a share of `metrics.recalls`; `top`, for each share of
        `metrics.top_shares` the lift there and the share of conversions that it holds, each with its interval.
    """
    from leadscore.compare import CALIBRATION, STATISTICS, gain, lift, mean_intervals, precision_at_recall

    always = [*STATISTICS.values(), CALIBRATION]
    recalls = {share: precision_at_recall(share) for share in asked.recalls}
    tops = {share: (lift(share), gain(share)) for share in asked.top_shares}
    wanted = {each.name: each for each in (*always, *recalls.values(), *itertools.chain(*tops.values()))}
    rows = [_rows(fold) for fold in folds]
    found = mean_intervals(rows, metrics=list(wanted.values()), resamples=asked.resamples)
    told = {name: interval.to_json() for name, interval in found.items()}
    return {
        "intervals": {each.name: told[each.name] for each in always},
        "precision_at_recall": [{"recall": share, **told[each.name]} for share, each in recalls.items()],
        "top": [{"share": share, "lift": told[a.name], "found": told[b.name]} for share, (a, b) in tops.items()],
    }


def _rows(fold: FoldResult) -> tuple[Any, Any, Any]:
    """Return labels, probabilities and leads of a fold's validation rows."""
    return fold.label.to_numpy(), fold.probability.to_numpy(), fold.label.index.get_level_values("user_id")


def gain_over(folds: Sequence[FoldResult], name: str, looks: int, resamples: int) -> "Gain":
    """Return the paired test, by lead, of the model's AUC against a baseline's; each look at the rows is one more.

    Parameters
    ----------
    folds : sequence of FoldResult
        The differences are averaged over them.
    name : str
        Of the baseline.
    looks : int
        How many runs were measured on these rows, this one among them.
    resamples : int
        Of leads, where a lead has several rows.
    """
    from leadscore.compare import Scores, verdict
    from leadscore.evaluate import Gain

    rows = pd.concat(
        [
            fold.label.rename("label")
            .to_frame()
            .assign(fold=fold.number, baseline=fold.baselines[name].probability, model=fold.probability)
            for fold in folds
        ]
    ).reset_index()
    scores = [Scores(rows.assign(probability=rows[each]), name=each) for each in ("baseline", "model")]
    found = verdict(*scores, family=looks, resamples=resamples)
    p = found.p if found.p_adjusted is None else found.p_adjusted
    better = found.answer == "better"
    sure = found.difference, found.low, found.high, p
    return Gain(*sure, looks, found.reason, better, model=found.b, baseline=found.a, folds=len(folds))


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
