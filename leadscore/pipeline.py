"""The walk through the rooms: config, load, check raw, window, features, check table, split, fit, evaluate, explain.

This module alone knows the way, and `training` the part of it from the split to the explanation. A room receives
values and returns values; recording what came out is the last room, entered by `run`.
"""

import importlib
import logging
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.config.schema import Config, ModelConfig
from leadscore.errors import ConfigError, LeadscoreError, WindowError
from leadscore.preparing import Step, load_checked, model_table
from leadscore.results import Dataset, TrainedRun, Windows
from leadscore.times import parse_duration
from leadscore.training import train_model

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.features import Plan
    from leadscore.features.audit import AuditReport
    from leadscore.features.build import ColumnCache
    from leadscore.split import Seal
    from leadscore.tables import Tables
    from leadscore.window import Observations

__all__ = ["Step", "add_features", "build_dataset", "compose", "plan_run", "run", "train_model", "walk_to_folds"]

log = logging.getLogger(__name__)
Tell = Callable[[TrainedRun, Path, dict[str, Any], str | None], None]  # run, folder, identity, where it was logged


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
    from leadscore.config.secrets import refuse_secret_words

    refuse_secret_words(overrides)
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
    from leadscore.model.monotone import check_monotone
    from leadscore.model.registry import parts_of

    load_plugins(config.plugins)
    _refuse_models(config.model)
    _refuse_unknown_codes(config.checks.mute)
    numbers = {"amount", *getattr(getattr(config.data, "events", None), "numbers", [])}
    plan = make_plan(config.features, config.definitions, config.data.known_at_creation, numbers)
    kinds = {each.name: each.dtype for each in plan.columns}
    for key, part in parts_of(config.model).items():
        check_monotone(getattr(part, "monotone", {}), kinds, key)
    return plan


def _refuse_models(model: ModelConfig) -> None:
    """Refuse a model, or a member of an ensemble, that is not what its keys say."""
    from leadscore.errors import raise_all
    from leadscore.model.registry import parts_of, registration_of

    problems = []
    for key, part in parts_of(model).items():
        if not isinstance(part, registration_of(part.name).config):
            group = key.replace("model.", "model@model.")
            problems.append(f"{key}.name {part.name} does not belong to the other keys of {key}: choose with {group}=")
        elif key != "model" and hasattr(part, "members"):
            problems.append(f"{key} is itself an ensemble: name its members in model.members")
        elif key != "model" and part.calibration != "none":
            problems.append(f"{key}.calibration: an ensemble is calibrated as a whole, by model.calibration")
        elif key != "model" and part.negatives_per_positive is not None:
            problems.append(f"{key}.negatives_per_positive: an ensemble is fitted on one sample of its own")
    if not getattr(model, "members", True):
        problems.append("model.members is empty: +model@model.members.NAME=CHOICE adds a member")
    raise_all(ConfigError, problems)


def _refuse_unknown_codes(codes: Sequence[str]) -> None:
    from leadscore.errors import did_you_mean, raise_all

    if not codes:
        return
    from leadscore.evaluate import CHECKS

    unknown = [code for code in codes if code not in CHECKS]
    raise_all(ConfigError, [f"checks.mute: unknown code '{code}'. {did_you_mean(code, CHECKS)}" for code in unknown])


def walk_to_folds(config: Config, step: Step = log.info) -> Windows:
    """Load, check and observe, keep off the seal, and lay the folds: all that needs no feature."""
    from leadscore.split import AUTO, embargo_of, keep_off, make_folds
    from leadscore.window import left_out

    windows, validation = _observed(config, step), config.validation
    embargo = embargo_of(windows.tables.log) if validation.embargo == AUTO else parse_duration(validation.embargo)
    try:
        if windows.seal is not None:
            kept, sealed = keep_off(windows.observations, windows.seal, embargo)
            windows = replace(windows, observations=kept, sealed=sealed)
        frame, horizon = windows.observations.frame, windows.observations.horizon
        folds = make_folds(frame, horizon, validation, embargo=embargo, groups=_groups(windows))
    except WindowError as error:
        raise WindowError(f"{error}. Observed: {left_out(windows.observations.counts)}") from None
    return replace(windows, folds=folds)


def _observed(config: Config, step: Step) -> Windows:
    """Load, check and observe; name the seal, and take nothing away yet."""
    from leadscore.features import check_sources
    from leadscore.store import open_store
    from leadscore.window import observe

    plan = plan_run(config)
    store = open_store(config.compute)
    tables = load_checked(config.data, store, step)
    check_sources(plan, tables)
    step("observing leads")
    observations = observe(tables, config.window, config.data.statuses, config.data.labels)
    return Windows(config, plan, tables, observations, [], store, _seal(config, tables, observations))


def _seal(config: Config, tables: "Tables", observations: "Observations") -> "Seal | None":
    """Return the period to keep away: as it was frozen for these data, else as `run` will freeze it."""
    import pandas as pd

    from leadscore.record.seals import data_set, find_seal
    from leadscore.split import Seal

    if config.validation.seal is None:
        return None
    length = parse_duration(config.validation.seal)
    frozen = find_seal(Path(config.tracking.root), data_set(config.data), length)
    if frozen is None:
        return Seal.at_the_end(tables.data_end, observations.horizon, length)
    return Seal(pd.Timestamp(frozen.start), length)


def _groups(windows: Windows) -> "pd.Series | None":
    """Return each observation's account, where `validation.group` names one."""
    group = getattr(windows.config.validation, "group", "user_id")
    if group == "user_id":
        return None
    frame = windows.observations.frame
    return windows.tables.leads[group].iloc[frame["lead_row"].to_numpy()].set_axis(frame.index)


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
    audit = _audited(windows, step)  # first: it says best what is wrong with a feature
    step("building features")
    observations, compute = windows.observations.frame, windows.config.compute
    known = _known_columns(windows)
    table = model_table(windows.plan, windows.tables, observations, workers=compute.workers, cache=known, step=step)
    tables, folds, seal = windows.tables, windows.folds, windows.seal
    return Dataset(windows.config, windows.plan, tables, windows.observations, folds, table, audit, seal)


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
    from leadscore.config.secrets import refuse_secrets
    from leadscore.handover import serving_of
    from leadscore.identity.profile import profile
    from leadscore.identity.run import begin, code_of, with_content
    from leadscore.model.registry import parts_of, registration_of
    from leadscore.record import CODE, DATA, IDENTITY, Shelf, make_tracker
    from leadscore.record.ledger import check_ledger, enter, family
    from leadscore.record.write import (
        ended,
        record_failure,
        record_run,
        write_config,
        write_features,
        write_run,
        write_windows,
    )

    refuse_secrets(asdict(config))
    plan = plan_run(config)
    code = code_of(plan, *(registration_of(part.name).cls for part in parts_of(config.model).values()))
    identity = begin(config, plan, code)
    tracker = make_tracker(config.tracking)
    tracker.check()
    root = Path(config.tracking.root)
    check_ledger(root)
    folder = Path(folder or root / f"{datetime.now(UTC):%Y-%m-%d}" / identity["run_id"])
    with closing(Shelf(folder, identity)) as shelf:
        try:
            shelf.json(CODE, code.to_json())
            write_config(shelf, config)
            windows = walk_to_folds(config, step)
            _freeze(windows, identity["run_id"])
            identity = with_content(identity, windows)
            shelf.json(IDENTITY, identity)
            write_windows(shelf, windows)
            shelf.json(DATA, profile(windows.tables))
            dataset = add_features(windows, step)
            write_features(shelf, dataset)
            trained = train_model(dataset, config, step, looks=family(root, identity["validation_hash"]) + 1)
            step("recording")
            enter(root, identity, identity["validation_hash"], "evaluated")  # before anybody can see a number
            model_sha256 = write_run(shelf, trained, serving_of(trained, identity))
            identity = {**ended(identity, "done"), "model_sha256": model_sha256}
            shelf.json(IDENTITY, identity)
        except BaseException as error:
            record_failure(shelf, tracker, identity, error)
            raise
        where = record_run(shelf, tracker)
        if tell is not None:
            tell(trained, folder, identity, where)
        if config.report:
            from leadscore.report import write_report

            step("drawing the report")
            write_report(shelf, identity, trained)
    tracker.mirror(folder)
    return trained


def _freeze(windows: Windows, run_id: str) -> None:
    """Freeze the seal that the folds keep off, at its first use."""
    from leadscore.record.seals import FrozenSeal, data_set, freeze_seal

    if windows.seal is None:
        return
    name, seal = data_set(windows.config.data), FrozenSeal(windows.seal.start, windows.seal.length)
    frozen = freeze_seal(Path(windows.config.tracking.root), name, seal, run_id)
    if frozen.start != windows.seal.start:
        raise WindowError(
            f"another run has sealed data set '{name}' from {frozen.start:%Y-%m-%d} while this one was starting, which "
            f"would have sealed it from {windows.seal.start:%Y-%m-%d}: start again"
        )
