"""Split, fit, evaluate: each fold's model fitted on its training rows, measured on its validation rows, compared."""

import logging
import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from leadscore.cluster import cluster_of
from leadscore.config.schema import Config
from leadscore.fitting import fit_again, fit_fold
from leadscore.predicting import predicted
from leadscore.results import Baseline, Dataset, FoldResult, Refit, TrainedRun

if TYPE_CHECKING:
    from leadscore.evaluate import Check, Evaluation

__all__ = ["train_model"]

log = logging.getLogger(__name__)
Step = Callable[[str], None]  # told what is being done

EXPLAINED = 20_000  # validation rows of a fold whose contributions make its importance
STRONGEST = 5  # features whose effect is worked out
RECENCY = "days_since_last_event"
BORDERS = ("before window.start", "at or after window.end")


def train_model(dataset: Dataset, config: Config, step: Step = log.info, *, looks: int = 1) -> TrainedRun:
    """Fit and measure the config's model on each fold of a dataset, after the search that the config asks for.

    Parameters
    ----------
    dataset : Dataset
    config : Config
        Its `model`, `search`, `seed` and `validation.seeds` are used; the rest is the dataset's.
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
    from leadscore.searching import search_model
    from leadscore.split import caveats

    searched = search_model(dataset, config, step)
    fitted = config if searched is None else replace(config, model=searched.model)
    results = []
    for number in range(len(dataset.folds)):
        step(f"fitting and evaluating fold {number + 1} of {len(dataset.folds)}")
        results.append(_fit_fold(dataset, fitted, number))
    last = results[-1]
    step("explaining")
    importance, scale = _importance(dataset, results)
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
        importance_scale=scale,
        effects=effects(last.model.predict_proba, valid, train, importance["feature"].head(STRONGEST).tolist()),
        bands=make_bands(dataset, fitted, last),
        checks=_check(dataset, results, looks),
        warnings=warnings,
        search=searched,
    )


def _sides(dataset: Dataset, result: FoldResult) -> tuple[Any, Any]:
    rows = dataset.observations.frame
    return result.fold.train(rows), result.fold.valid(rows)


def _importance(dataset: Dataset, results: list[FoldResult]) -> tuple[Any, str]:
    """Return each feature's importance and the scale of it, in words."""
    from leadscore.explain import evenly, global_importance, importance_over_folds, scale_over_folds

    tables, scales = [], []
    for result in results:
        valid = evenly(dataset.X[_sides(dataset, result)[1].to_numpy()], EXPLAINED)
        explanation = result.model.explain(valid)
        tables.append(global_importance(explanation, valid))
        scales.append(explanation.scale)
    return importance_over_folds(tables), scale_over_folds(scales)


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
    from leadscore.split import compare_sides

    fold, rows, X, y = dataset.folds[number], dataset.observations.frame, dataset.X, dataset.y
    fitted = fit_fold(dataset, config, number)
    train, valid, probability = fitted.train, fitted.valid, fitted.probability
    return FoldResult(
        number=number,
        fold=fold,
        model=fitted.model,
        n_train=int(train.sum()),
        n_inner=fitted.n_inner,
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
    from leadscore.evaluate import evaluate

    fitted = fit_again(dataset, config, number, again)
    return Refit(config.seed + again, fitted.probability, evaluate(dataset.y[fitted.valid], fitted.probability))


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
