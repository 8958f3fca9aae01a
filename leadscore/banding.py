"""The bands of a run: cut on rows that the model was not fitted on, and held to what validation rows converted."""

from typing import Any

import numpy as np

from leadscore.bands import BANDS, Bands, Promise
from leadscore.cluster import cluster_of
from leadscore.config.schema import Config
from leadscore.errors import WindowError
from leadscore.results import Dataset, FoldResult

__all__ = ["make_bands"]

Array = np.ndarray[Any, Any]
WEEK = 7 * 86_400  # seconds


def make_bands(dataset: Dataset, config: Config, last: FoldResult) -> Bands:
    """Return the bands of a fold's model, with what each converted on the fold's validation rows.

    Parameters
    ----------
    dataset : Dataset
    config : Config
        Its `bands` says how to cut. `share` and `capacity` cut at quantiles of the scores of the inner fold; a model
        that was fitted on that fold as well is fitted once more, without it, for this alone.
    last : FoldResult
        The fold whose model is kept.

    Raises
    ------
    WindowError
        When the training period is too short for the inner fold that the cut needs.
    """
    bands = _cut(dataset, config, last)
    lead = last.label.index.get_level_values("user_id").to_numpy()
    label, band = last.label.to_numpy(), bands.of(last.probability)
    return bands.with_promises([_promise(name, label, lead, band == name) for name in BANDS])


def _cut(dataset: Dataset, config: Config, last: FoldResult) -> Bands:
    asked = config.bands
    if asked.cut == "probability":
        return Bands(asked.cut, _three(asked.probabilities))
    if asked.cut == "lift":
        rows = dataset.observations.frame
        base_rate = float(rows["label"][last.fold.train(rows)].mean())
        return Bands(asked.cut, _three([min(1.0, lift * base_rate) for lift in asked.lifts]))
    scores, week = _inner_scores(dataset, config, last)
    shares = np.cumsum(asked.shares if asked.cut == "share" else np.array(asked.capacities) / week)
    return Bands(asked.cut, _three([least_of(scores, min(1.0, share)) for share in shares]), len(scores))


def _three(cuts: Any) -> tuple[float, float, float]:
    first, second, third = (float(cut) for cut in cuts)
    return first, second, third


def _inner_scores(dataset: Dataset, config: Config, last: FoldResult) -> tuple[Array, float]:
    """Return the probabilities of the inner fold by a model that was not fitted on it, and how many leads a week has.

    A week's leads are all that were observed in the inner fold's time, also where the fold was drawn by lot.
    """
    from leadscore.model import make_model
    from leadscore.split import inner_fold

    rows, X, y = dataset.observations.frame, dataset.X, dataset.y
    try:
        fitted, inner = inner_fold(last.fold, rows, config.validation.inner_share)
    except WindowError as error:
        raise WindowError(
            f"bands.cut={config.bands.cut} cuts on an inner fold, and there is none: {error}. bands.cut=lift and "
            f"bands.cut=probability need none"
        ) from None
    model = last.model
    if not getattr(model, "wants_held_out", False):
        model = make_model(config.model, config.seed, cluster_of(dataset.config.compute))
        model.fit(X[fitted.to_numpy()], y[fitted.to_numpy()])
    times = rows["as_of"][inner]
    instants = (
        times.nunique()
    )  # so many reach from the first to the last in one step less: four snapshots are four weeks
    weeks = max((times.max() - times.min()).total_seconds() / WEEK * instants / max(instants - 1, 1), 1.0)
    seen = int(rows["as_of"].between(times.min(), times.max()).sum())
    return model.predict_proba(X[inner.to_numpy()]).to_numpy(), seen / weeks


def least_of(scores: Array, share: float) -> float:
    """Return the least score of the highest `share`; equal scores stay together, on the side that comes nearer.

    Examples
    --------
    >>> least_of(np.array([0.1, 0.2, 0.3, 0.4]), 0.5)
    0.3
    >>> least_of(np.array([0.2, 0.2, 0.2, 0.2]), 0.25) > 0.2  # nobody rather than everybody
    True
    """
    rising = np.sort(scores)
    wanted = share * len(rising)
    at = rising[max(0, min(len(rising) - 1, len(rising) - round(wanted)))]
    with_ties = len(rising) - np.searchsorted(rising, at, side="left")
    without = len(rising) - np.searchsorted(rising, at, side="right")
    nearer_without = abs(without - wanted) < abs(with_ties - wanted)
    return float(np.nextafter(at, np.inf) if nearer_without else at)


def _promise(name: str, label: Array, lead: Array, inside: Array) -> Promise:
    from leadscore.compare import share_interval

    n, positives = int(inside.sum()), int(label[inside].sum())
    share, leads = n / len(label), len(np.unique(lead[inside]))
    if not n:
        return Promise(name, 0, 0, 0, share, None, None, None)
    return Promise(name, n, leads, positives, share, positives / n, *share_interval(label[inside], lead[inside]))
