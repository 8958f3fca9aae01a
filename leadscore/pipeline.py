"""The walk through the rooms: config, load, check raw, window, features, check table, split, fit, evaluate, explain.

This module alone knows the way. A room receives values and returns values; recording what came out is the last
room, entered by `run`.
"""

import importlib
import logging
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.config.schema import Config
from leadscore.errors import ConfigError, LeadscoreError, WindowError
from leadscore.results import Baseline, Dataset, FoldResult, TrainedRun, Windows

if TYPE_CHECKING:
    from leadscore.evaluate import Check, Evaluation
    from leadscore.features import Plan
    from leadscore.features.audit import AuditReport
    from leadscore.features.build import ColumnCache
    from leadscore.tables import Tables

__all__ = ["add_features", "build_dataset", "compose", "plan_run", "run", "train_model", "walk_to_folds"]

log = logging.getLogger(__name__)
Step = Callable[[str], None]  # told what is being done
Tell = Callable[[TrainedRun, Path, dict[str, Any], str | None], None]  # run, folder, identity, where it was logged

RECENCY = "days_since_last_event"
BORDERS = ("before window.start", "at or after window.end")


def compose(overrides: Sequence[str] = (), *, config_dir: str | Path | None = None) -> Config:
    """Compose and check one run's config, as the command line would, from any directory.

    Parameters
    ----------
    overrides : sequence of str
        As on the command line: `["model=lightgbm", "features=+sessions"]`.
    config_dir : path, optional
        A folder with your own configs, laid out like `conf/`.

    Returns
    -------
    Config
        Resolved and typed, every name in it known; change it by composing again.

    Raises
    ------
    LeadscoreError
        With every problem found, before any data is read.

    Examples
    --------
    >>> config = compose(["model=lightgbm", "features=+sessions"])
    >>> config.model.name, config.window.horizon, config.feature_sets
    ('lightgbm', '30d', ['base', 'sessions'])
    """
    from leadscore.config.checks import check_job
    from leadscore.config.command import named_plugins
    from leadscore.config.compose import config_loader

    load_plugins(named_plugins(overrides))
    with config_loader(config_dir) as loader:
        config = check_job(list(overrides), loader)
    plan_run(config)
    return config


def load_plugins(modules: Sequence[str]) -> None:
    """Import a team's own modules, which register features and models; only a caller's config names them.

    A model that joins brings its parameters' dataclass, which its config file then names as
    `/schema/model/NAME@_here_`.
    """
    if not modules:
        return
    if str(Path.cwd()) not in sys.path:  # as `python -m` has it and an installed command does not
        sys.path.insert(0, str(Path.cwd()))
    from leadscore.config.compose import register_schema
    from leadscore.model.registry import model_names, registration_of

    for name in modules:
        try:
            importlib.import_module(name)
        except LeadscoreError:
            raise
        except Exception as error:  # whatever a user's module raises while it is imported
            where = f"looked for in {Path.cwd()} and in the environment"
            what = f"{type(error).__name__}: {error}"
            raise ConfigError(f"plugins: module '{name}' cannot be imported ({where}): {what}") from error
    for name in model_names():
        register_schema("model", name, registration_of(name).config)


def plan_run(config: Config) -> "Plan":
    """Look up every name in the config, with the user's plugins loaded; no data is read."""
    from leadscore.features import make_plan
    from leadscore.model.registry import registration_of

    load_plugins(config.plugins)
    if not isinstance(config.model, registration_of(config.model.name).config):
        raise ConfigError(
            f"model.name {config.model.name} does not belong to the other keys of model: choose with model="
        )
    _refuse_unknown_codes(config.checks.mute)
    numbers = {"amount", *getattr(getattr(config.data, "events", None), "numbers", [])}
    return make_plan(config.features, config.definitions, config.data.known_at_creation, numbers)


def _refuse_unknown_codes(codes: Sequence[str]) -> None:
    from leadscore.errors import did_you_mean, raise_all

    if not codes:
        return
    from leadscore.evaluate import CHECKS

    unknown = [code for code in codes if code not in CHECKS]
    raise_all(ConfigError, [f"checks.mute: unknown code '{code}'. {did_you_mean(code, CHECKS)}" for code in unknown])


def walk_to_folds(config: Config, step: Step = log.info) -> Windows:
    """Load, check and observe, and lay the folds: all that needs no feature."""
    from leadscore.data import prepared_tables
    from leadscore.features import check_sources
    from leadscore.schemas import check_raw
    from leadscore.split import make_folds
    from leadscore.store import open_store
    from leadscore.window import left_out, observe

    def check(tables: "Tables") -> None:
        step("checking tables")
        check_raw(tables, config.data)

    plan = plan_run(config)
    step("loading tables")
    store = open_store(config.compute)
    tables = prepared_tables(config.data, store, check)
    check_sources(plan, tables)
    step("observing leads")
    observations = observe(tables, config.window, config.data.statuses, config.data.labels)
    try:
        folds = make_folds(observations.frame, observations.horizon, config.validation)
    except WindowError as error:
        raise WindowError(f"{error}. Observed: {left_out(observations.counts)}") from None
    return Windows(config, plan, tables, observations, folds, store)


def build_dataset(config: Config, step: Step = log.info) -> Dataset:
    """Build everything a model is trained on.

    Parameters
    ----------
    config : Config
        From `compose`.
    step : callable, optional
        Told what is being done, in a few words; default: the log.

    Returns
    -------
    Dataset

    Raises
    ------
    LeadscoreError
        When the data, the window, a feature or the model table is not as declared.

    Examples
    --------
    >>> dataset = build_dataset(compose(["data.n_leads=500"]))
    >>> dataset.X.shape[0] == len(dataset.y) == dataset.observations.counts["observations"]
    True
    """
    return add_features(walk_to_folds(config, step), step)


def add_features(windows: Windows, step: Step = log.info) -> Dataset:
    """Compute and check the model table of a run whose folds are laid."""
    from leadscore.features import build
    from leadscore.schemas import check_table

    audit = _audited(windows, step)  # first: it says best what is wrong with a feature
    step("building features")
    observations, compute = windows.observations.frame, windows.config.compute
    known = _known_columns(windows)
    table = build(windows.tables, observations, windows.plan, workers=compute.workers, cache=known)
    step("checking the model table")
    labels = observations["label"].set_axis(table.X.index)
    check_table(table.X, labels, {each.name: each for each in windows.plan.columns})
    return Dataset(windows.config, windows.plan, windows.tables, windows.observations, windows.folds, table, audit)


def _audited(windows: Windows, step: Step) -> "AuditReport | None":
    """Try whether the features are what they declare; refuse those that are not."""
    from leadscore.features.audit import audit, raise_findings

    config = windows.config
    if config.audit == "off":
        return None
    step("auditing features")
    report = audit(windows.plan, windows.tables, windows.observations.frame, level=config.audit)
    raise_findings(report)
    return report


def _known_columns(windows: Windows) -> "ColumnCache | None":
    """Return the columns that earlier runs have left in the cache, each under all that decides its values."""
    if windows.store is None:
        return None
    from leadscore.features.columns import StoredColumns
    from leadscore.identity.columns import column_keys
    from leadscore.identity.content import data_hash

    tables, observations = windows.tables, windows.observations.frame
    return StoredColumns(windows.store, column_keys(windows.plan, data_hash(tables), tables, observations))


def train_model(dataset: Dataset, config: Config, step: Step = log.info) -> TrainedRun:
    """Fit and measure the config's model on each fold of a dataset.

    Parameters
    ----------
    dataset : Dataset
    config : Config
        Its `model` and `seed` are used; the rest is the dataset's.
    step : callable, optional
        Told what is being done, in a few words; default: the log.

    Returns
    -------
    TrainedRun

    Examples
    --------
    >>> config = compose(["data.n_leads=500"])
    >>> run = train_model(build_dataset(config), config)
    >>> run.predictions.columns.tolist()
    ['user_id', 'as_of', 'fold', 'seed', 'label', 'probability']
    """
    from leadscore.evaluate import summarise_folds
    from leadscore.explain import global_importance

    results = []
    for number in range(len(dataset.folds)):
        step(f"fitting and evaluating fold {number + 1} of {len(dataset.folds)}")
        results.append(_fit_fold(dataset, config, number))
    last = results[-1]
    valid = dataset.X.loc[last.probability.index]
    importance = global_importance(last.model.explain(valid), valid)
    warnings = [warning for result in results for warning in getattr(result.model, "warnings", [])]
    metrics = summarise_folds([result.evaluation for result in results])
    return TrainedRun(
        dataset=dataset,
        config=config,
        folds=results,
        metrics=metrics,
        compared={"this run": metrics["metrics"], **_compared(results)},
        importance=importance,
        checks=_check(dataset, last),
        warnings=warnings,
    )


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

    fold, as_of = dataset.folds[number], dataset.observations.frame["as_of"]
    train, valid = fold.train(as_of).to_numpy(), fold.valid(as_of).to_numpy()
    X, y = dataset.X, dataset.y
    model = make_model(config.model, config.seed).fit(X[train], y[train])
    probability = model.predict_proba(X[valid])
    return FoldResult(
        number=number,
        fold=fold,
        model=model,
        n_train=int(train.sum()),
        n_purged=int(fold.purged(as_of).sum()),
        probability=probability,
        label=y[valid],
        evaluation=evaluate(y[valid], probability),
        baselines=_baselines(X[train], y[train], X[valid], y[valid]),
        best_reachable=_best_reachable(dataset, valid),
    )


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


def _check(dataset: Dataset, last: FoldResult) -> "list[Check]":
    from leadscore.evaluate import CheckContext, run_checks

    as_of, counts = dataset.observations.frame["as_of"], dataset.observations.counts
    train = last.fold.train(as_of).to_numpy()
    used = sum((fold.train(as_of) | fold.valid(as_of) for fold in dataset.folds), start=as_of.isna())
    X_train, X_valid = dataset.X[train], dataset.X.loc[last.probability.index]
    rule = last.baselines.get("recency", last.baselines["base_rate"])
    return run_checks(
        CheckContext(
            X_train=X_train,
            y_train=dataset.y[train],
            p_train=last.model.predict_proba(X_train),
            X_valid=X_valid,
            y_valid=last.label,
            p_valid=last.probability,
            p_baseline=None if last.model.name == "baseline" else rule.probability,
            observations=sum(counts[reason] for reason in ("observations", *BORDERS)),
            used=int(used.astype(bool).sum()),
            immature=sum(n for reason, n in counts.items() if reason.startswith("immature")),
        ),
        dataset.config.checks.mute,
    )


def run(
    config: Config, folder: str | Path | None = None, *, step: Step = log.info, tell: Tell | None = None
) -> TrainedRun:
    """Do one whole run and record it: the shelf in `folder`, then a line wherever `tracking` says.

    Parameters
    ----------
    config : Config
        From `compose`.
    folder : path, optional
        Of this run alone; made when absent, refused when another run has claimed it. Default: a new one under
        `tracking.root`.
    step : callable, optional
        Told what is being done.
    tell : callable, optional
        Told the numbers as soon as they are written, before the report is drawn.

    Raises
    ------
    LeadscoreError
        After recording the run as failed, with the reason.
    """
    from leadscore.identity.run import begin, with_content
    from leadscore.model.registry import registration_of
    from leadscore.record import IDENTITY, Shelf, make_tracker
    from leadscore.record.write import record_failure, row_of, write_features, write_run, write_windows

    plan = plan_run(config)
    identity = begin(config, plan, registration_of(config.model.name).cls)
    tracker = make_tracker(config.tracking)
    tracker.check()
    folder = Path(folder or Path(config.tracking.root) / f"{datetime.now(UTC):%Y-%m-%d}" / identity["run_id"])
    shelf = Shelf(folder, identity)
    try:
        windows = walk_to_folds(config, step)
        identity = with_content(identity, windows)
        shelf.json(IDENTITY, identity)
        write_windows(shelf, windows)
        dataset = add_features(windows, step)
        write_features(shelf, dataset)
        trained = train_model(dataset, config, step)
        step("recording")
        identity = {**identity, "status": "done"}
        write_run(shelf, trained)
        shelf.json(IDENTITY, identity)
    except BaseException as error:
        record_failure(shelf, tracker, config, identity, error)
        raise
    where = tracker.record(row_of(config, identity, trained), folder)
    if tell is not None:
        tell(trained, folder, identity, where)
    if config.report:
        from leadscore.report import write_report

        step("drawing the report")
        write_report(shelf, identity, trained)
    return trained
