"""Split, fit, evaluate: each fold's model fitted on its training rows, measured on its validation rows, compared."""

import logging
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leadscore.cluster import cluster_of
from leadscore.config.schema import Config
from leadscore.predicting import predicted
from leadscore.results import Baseline, Dataset, FoldResult, Refit, TrainedRun

if TYPE_CHECKING:
    import numpy as np

    from leadscore.evaluate import Check, Evaluation
    from leadscore.model import CheckedModel

    Mask = np.ndarray[Any, np.dtype[np.bool_]]

__all__ = ["train_model"]

log = logging.getLogger(__name__)
Step = Callable[[str], None]  # told what is being done

EXPLAINED = 20_000  # validation rows of a fold whose contributions make its importance
STRONGEST = 5  # features whose effect is worked out
RECENCY = "days_since_last_event"
BORDERS = ("before window.start", "at or after window.end")


def train_model(dataset: Dataset, config: Config, step: Step = log.info, *, looks: int = 1) -> TrainedRun:
    """Fit and measure the config's model on each fold of a dataset.

    Parameters
    ----------
    dataset : Dataset
    config : Config
        Its `model`, `seed` and `validation.seeds` are used; the rest is the dataset's.
    step : callable, optional
        Told what is being done, in a few words; default: the log.
    looks : int
        How many runs were measured on these validation rows, this one among them: the p-value of "beats the
        baseline" is adjusted for so many.

    Returns
    -------
    TrainedRun

    Examples
    --------
    >>> from leadscore.pipeline import build_dataset, compose
    >>> config = compose(["data.n_leads=500"])
    >>> run = train_model(build_dataset(config), config)
    >>> run.predictions.columns.tolist()
    ['user_id', 'as_of', 'fold', 'seed', 'label', 'probability']
    """
    from leadscore.banding import make_bands
    from leadscore.evaluate import summarise_folds
    from leadscore.explain import effects
    from leadscore.measuring import measure_fold, measure_mean
    from leadscore.split import caveats

    results = []
    for number in range(len(dataset.folds)):
        step(f"fitting and evaluating fold {number + 1} of {len(dataset.folds)}")
        results.append(_fit_fold(dataset, config, number))
    last = results[-1]
    step("explaining")
    importance = _importance(dataset, results)
    train, valid = (dataset.X[rows.to_numpy()] for rows in _sides(dataset, last))
    warnings = caveats(dataset.folds, dataset.observations.frame)
    warnings += [warning for result in results for warning in getattr(result.model, "warnings", [])]
    metrics = summarise_folds([result.evaluation for result in results])
    metrics |= _seeds(metrics["metrics"], results, config.seed)
    step("measuring how sure the numbers are")
    each = [measure_mean([result], config.metrics) for result in results]
    for number, result in enumerate(results):
        metrics["folds"][number] |= {**each[number], **measure_fold(dataset, config, result)}
    metrics |= measure_mean(results, config.metrics) if len(results) > 1 else each[0]
    return TrainedRun(
        dataset=dataset,
        config=config,
        folds=results,
        metrics=metrics,
        compared={"this run": metrics["metrics"], **_compared(results)},
        importance=importance,
        effects=effects(last.model.predict_proba, valid, train, importance["feature"].head(STRONGEST).tolist()),
        bands=make_bands(dataset, config, last),
        checks=_check(dataset, results, looks),
        warnings=warnings,
    )


def _sides(dataset: Dataset, result: FoldResult) -> tuple[Any, Any]:
    rows = dataset.observations.frame
    return result.fold.train(rows), result.fold.valid(rows)


def _importance(dataset: Dataset, results: list[FoldResult]) -> Any:
    from leadscore.explain import evenly, global_importance, importance_over_folds

    tables = []
    for result in results:
        valid = evenly(dataset.X[_sides(dataset, result)[1].to_numpy()], EXPLAINED)
        tables.append(global_importance(result.model.explain(valid), valid))
    return importance_over_folds(tables)


def _seeds(first: dict[str, float | None], results: list[FoldResult], seed: int) -> dict[str, Any]:
    """Return the metrics of each fit where folds were fitted several times, and how far apart they lie."""
    from leadscore.evaluate import summarise_folds

    values = {seed: first}
    for again in zip(*(result.refits for result in results), strict=True):
        values[again[0].seed] = summarise_folds([each.evaluation for each in again])["metrics"]
    if len(values) == 1:
        return {}
    spread = {name: _spread([metrics[name] for metrics in values.values()]) for name in first}
    return {"seeds": [{"seed": each, "metrics": metrics} for each, metrics in values.items()], "seed_spread": spread}


def _spread(values: list[float | None]) -> dict[str, float] | None:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return {"least": min(known), "most": max(known), "sd": statistics.stdev(known)}


def _compared(results: list[FoldResult]) -> dict[str, dict[str, float | None]]:
    """Return each baseline's, and the best reachable, metrics as means over the folds."""
    from leadscore.evaluate import summarise_folds

    columns = {
        name.replace("_", " "): [result.baselines[name].evaluation for result in results]
        for name in results[-1].baselines
    }
    reachable = [result.best_reachable for result in results if result.best_reachable is not None]
    if reachable:
        columns["best reachable"] = reachable
    return {name: summarise_folds(evaluations)["metrics"] for name, evaluations in columns.items()}


def _fit_fold(dataset: Dataset, config: Config, number: int) -> FoldResult:
    from leadscore.evaluate import evaluate
    from leadscore.model import make_model
    from leadscore.split import compare_sides

    fold, rows, cluster = dataset.folds[number], dataset.observations.frame, cluster_of(dataset.config.compute)
    train, valid = fold.train(rows).to_numpy(), fold.valid(rows).to_numpy()
    X, y = dataset.X, dataset.y
    model = make_model(config.model, config.seed, cluster)
    parts = _training_parts(model, dataset, config, number)
    parts.fit(model, X[train], y[train])
    probability = predicted(model, X[valid], cluster)
    return FoldResult(
        number=number,
        fold=fold,
        model=model,
        n_train=int(train.sum()),
        n_inner=0 if parts.held_out is None else int(parts.held_out.sum()),
        n_purged=int(fold.purged(rows).sum()),
        probability=probability,
        label=y[valid],
        evaluation=evaluate(y[valid], probability),
        baselines=_baselines(X[train], y[train], X[valid], y[valid]),
        best_reachable=_best_reachable(dataset, valid),
        refits=tuple(_refit(dataset, config, number, again) for again in range(1, config.validation.seeds)),
        sides=compare_sides(X[train], X[valid]),
    )


def _refit(dataset: Dataset, config: Config, number: int, again: int) -> Refit:
    """Fit a fold once more, on a bootstrap of its training leads: a new seed alone moves few models at all."""
    from leadscore.evaluate import evaluate
    from leadscore.model import make_model
    from leadscore.split import resample_leads

    fold, rows, seed = dataset.folds[number], dataset.observations.frame, config.seed + again
    cluster = cluster_of(dataset.config.compute)
    train, valid = fold.train(rows).to_numpy(), fold.valid(rows).to_numpy()
    X, y = dataset.X[train], dataset.y[train]
    model = make_model(config.model, seed, cluster)
    parts = _training_parts(model, dataset, config, number)
    taken = resample_leads(rows["user_id"][train], y, (seed, number), parts.masks)
    parts.fit(model, X, y, taken)
    probability = predicted(model, dataset.X[valid], cluster)
    return Refit(seed, probability, evaluate(dataset.y[valid], probability))


@dataclass(frozen=True)
class _TrainingParts:
    """Which of a fold's training rows are fitted on, and which are the inner fold, if there is one.

    Rows whose outcomes reach from the first part into the second are in neither.
    """

    fitted: "Mask"
    held_out: "Mask | None" = None

    @property
    def masks(self) -> "list[Mask]":
        return [self.fitted] if self.held_out is None else [self.fitted, self.held_out]

    def fit(self, model: "CheckedModel", X: Any, y: Any, taken: Any = None) -> None:
        """Fit on the training rows, or on those `taken` of them, some perhaps several times."""
        import numpy as np

        rows = np.arange(len(X)) if taken is None else taken
        fitted, *rest = (rows[mask[rows]] for mask in self.masks)
        model.fit(X.iloc[fitted], y.iloc[fitted], *((X.iloc[each], y.iloc[each]) for each in rest))


def _training_parts(model: "CheckedModel", dataset: Dataset, config: Config, number: int) -> _TrainingParts:
    from leadscore.split import inner_fold

    fold, rows = dataset.folds[number], dataset.observations.frame
    train = fold.train(rows).to_numpy()
    if not model.wants_held_out:
        return _TrainingParts(train[train])
    fitted, held_out = inner_fold(fold, rows, config.validation.inner_share)
    return _TrainingParts(fitted.to_numpy()[train], held_out.to_numpy()[train])


def _baselines(X_train: Any, y_train: Any, X_valid: Any, y_valid: Any) -> dict[str, Baseline]:
    """Measure what any model must beat: the base rate, and calling the most recently active lead first."""
    from leadscore.config.schema import BaselineModel
    from leadscore.evaluate import evaluate
    from leadscore.model import make_model

    rules = {"base_rate": BaselineModel()}
    if RECENCY in X_train:
        rules["recency"] = BaselineModel(rank_by=RECENCY)
    baselines = {}
    for name, rule in rules.items():
        probability = make_model(rule, 0).fit(X_train, y_train).predict_proba(X_valid)
        baselines[name] = Baseline(probability, evaluate(y_valid, probability))
    return baselines


def _best_reachable(dataset: Dataset, valid: Any) -> "Evaluation | None":
    """Score the simulator's own probabilities; real data do not know them."""
    import pandas as pd

    from leadscore.evaluate import evaluate

    if dataset.tables.truth is None:
        return None
    rows = dataset.observations.frame[valid]
    truth = dataset.tables.truth(rows["user_id"], rows["as_of"], dataset.observations.horizon)
    return evaluate(rows["label"], pd.Series(truth, index=rows.index))


def _check(dataset: Dataset, results: list[FoldResult], looks: int) -> "list[Check]":
    from leadscore.evaluate import CheckContext, run_checks
    from leadscore.measuring import gain_over
    from leadscore.split import caveats

    last = results[-1]
    rows, counts = dataset.observations.frame, dataset.observations.counts
    train = last.fold.train(rows).to_numpy()
    used = sum((fold.train(rows) | fold.valid(rows) for fold in dataset.folds), start=rows["as_of"].isna())
    X_train, X_valid = dataset.X[train], dataset.X.loc[last.probability.index]
    rule = "recency" if "recency" in last.baselines else "base_rate"
    resamples = dataset.config.metrics.resamples
    by_row = [fold for fold in dataset.folds if getattr(fold, "by", None) == "observation"]
    return run_checks(
        CheckContext(
            X_train=X_train,
            y_train=dataset.y[train],
            p_train=predicted(last.model, X_train, cluster_of(dataset.config.compute)),
            X_valid=X_valid,
            y_valid=last.label,
            p_valid=last.probability,
            p_baseline=None if last.model.name == "baseline" else last.baselines[rule].probability,
            observations=sum(counts[reason] for reason in ("observations", *BORDERS)),
            used=int(used.astype(bool).sum()),
            immature=sum(n for reason, n in counts.items() if reason.startswith("immature")),
            adversarial=None if last.sides is None else last.sides.told_apart,
            shuffled=bool(caveats(by_row, rows)),
            gain=None if last.model.name == "baseline" else gain_over(results, rule, looks, resamples),
        ),
        dataset.config.checks.mute,
    )
