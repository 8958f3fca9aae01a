"""The search for a model's parameters: trials fitted and scored inside the training rows, the best handed on."""

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from leadscore.config.ranges import declared_space, ranges_of, value_of, with_values
from leadscore.config.schema import Config, RandomSearch
from leadscore.errors import ModelError, examples
from leadscore.fitting import fit_fold
from leadscore.results import Dataset

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.compare import Statistic
    from leadscore.search import Searched, Study, Trial

__all__ = ["search_model"]

log = logging.getLogger(__name__)
Step = Callable[[str], None]  # told what is being done

RESAMPLES = 500  # for each trial's interval, which decides nothing


def search_model(dataset: Dataset, config: Config, step: Step = log.info) -> "Searched | None":
    """Find the parameters of the config's model that do best inside the training rows.

    What is tried never meets a row that validates in any fold: it is given the first fold's training rows alone.

    Parameters
    ----------
    dataset : Dataset
    config : Config
        Its `search`, `model` and `seed` are used.
    step : callable, optional
        Told what is being done.

    Returns
    -------
    Searched or None
        None where `search=none`.

    Raises
    ------
    WindowError
        When the training rows are too few for the periods.
    ModelError
        When every trial failed, with their reasons.
    """
    from leadscore.compare import STATISTICS
    from leadscore.search import Searched, Study

    if not isinstance(config.search, RandomSearch):
        return None
    asked, metric = config.search, STATISTICS[config.search.metric]
    inside = _inside(dataset, asked)
    ranges = ranges_of(config.model)
    own = {key: value_of(config.model, key) for key in ranges}
    study = Study(asked, ranges, higher=metric.direction == "higher", seed=config.seed)
    trials, kept = [], _Kept(metric)
    for number in range(asked.trials):
        step(f"trying parameters, {number + 1} of {asked.trials}")
        if number:
            parameters = study.ask()
        else:
            study.begin(own)
            parameters = own
        trial, predictions = _try(inside, config, study, metric, (number, parameters))
        kept.look_at(trial, predictions)
        trials.append(trial)
    if kept.best is None:
        raise ModelError(_all_failed(trials))
    found = Searched(
        asked=asdict(asked),
        title=metric.title,
        higher=metric.direction == "higher",
        space=declared_space(config.model),
        periods=_periods(inside),
        trials=trials,
        winner=kept.best,
        model=with_values(config.model, kept.best.parameters),
    )
    return replace(found, **_against_own(kept, found))


def _inside(dataset: Dataset, asked: RandomSearch) -> Dataset:
    """Return the first fold's training rows alone, with the folds of the search laid in them.

    Earlier folds train on what later ones train on too, and no row of theirs validates anywhere.
    """
    from leadscore.split import inner_periods

    first, frame = dataset.folds[0], dataset.observations.frame
    train = first.train(frame)
    rows = frame[train]
    return replace(
        dataset,
        observations=replace(dataset.observations, frame=rows),
        table=replace(dataset.table, X=dataset.X[train.to_numpy()]),
        folds=inner_periods(first, rows, asked.folds, asked.share),
    )


def _try(
    inside: Dataset, config: Config, study: "Study", metric: "Statistic", what: tuple[int, dict[str, Any]]
) -> "tuple[Trial, pd.DataFrame | None]":
    """Fit and score one choice of parameters, period by period; what the model refuses is a failed trial."""
    import pandas as pd

    from leadscore.compare import mean_intervals, weighted
    from leadscore.search import Trial

    number, parameters = what
    started = time.perf_counter()
    scores: list[float] = []
    pieces = []
    tried = replace(config, model=with_values(config.model, parameters))

    def ended(state: Any, **more: Any) -> Trial:
        seconds = round(time.perf_counter() - started, 3)
        return Trial(number, parameters, state, config.seed, scores, seconds=seconds, **more)

    for period in range(len(inside.folds)):
        try:
            fitted = fit_fold(inside, tried, period)
        except MemoryError:  # of this machine, not of the parameters
            raise
        except Exception as error:  # whatever a model, a team's own too, makes of parameters that do not go together
            study.tell(None)
            return ended("failed", reason=str(error) or type(error).__name__), None
        label = inside.y[fitted.valid]
        scores.append(weighted(metric, label, fitted.probability))
        pieces.append(pd.DataFrame({"label": label, "probability": fitted.probability, "fold": period}).reset_index())
        last = period == len(inside.folds) - 1
        if not last and not study.goes_on(period, _mean(scores)):
            study.tell(None, stopped=True)
            return ended("stopped"), None
    study.tell(_mean(scores))
    rows = [(each["label"].to_numpy(), each["probability"].to_numpy(), each["user_id"]) for each in pieces]
    sure = mean_intervals(rows, metrics=[metric], resamples=RESAMPLES)[metric.name]
    return ended("done", score=_mean(scores), low=sure.low, high=sure.high), pd.concat(pieces, ignore_index=True)


def _mean(scores: list[float]) -> float:
    return sum(scores) / len(scores)


@dataclass
class _Kept:
    """The best trial so far, the earliest among equals, and the predictions that the best is compared by."""

    metric: "Statistic"
    best: "Trial | None" = None
    of_best: "pd.DataFrame | None" = None
    of_own: "pd.DataFrame | None" = None

    def look_at(self, trial: "Trial", predictions: "pd.DataFrame | None") -> None:
        if trial.score is None:
            return
        if trial.number == 0:
            self.of_own = predictions
        sign = 1 if self.metric.direction == "higher" else -1
        if self.best is None or self.best.score is None or sign * trial.score > sign * self.best.score:
            self.best, self.of_best = trial, predictions


def _against_own(kept: _Kept, found: "Searched") -> dict[str, Any]:
    """Return the winner's difference from the model's own parameters, and what luck alone gives."""
    from leadscore.compare import Scores, verdict

    if kept.of_own is None or kept.of_best is None or found.winner.number == 0:
        return {}
    n = found.compared
    runs = Scores(kept.of_own), Scores(kept.of_best)
    said = verdict(*runs, metric=kept.metric, family=n - 1, best_of=n, resamples=RESAMPLES)
    p, luck = said.p_adjusted, said.expected_by_luck
    return {"difference": said.difference, "low": said.low, "high": said.high, "p": p, "luck": luck}


def _periods(inside: Dataset) -> list[dict[str, Any]]:
    rows = inside.observations.frame
    return [
        {**fold.to_json(), "rows": {"train": int(fold.train(rows).sum()), "valid": int(fold.valid(rows).sum())}}
        for fold in inside.folds
    ]


def _all_failed(trials: "list[Trial]") -> str:
    reasons = list(dict.fromkeys(str(trial.reason) for trial in trials))
    return (
        f"the search tried {len(trials)} choices of parameters and the model refused every one, for {len(reasons)} "
        f"reasons: {examples(reasons)}. model.search_space decides what is tried"
    )
