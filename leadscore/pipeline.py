"""The walk through the rooms: config, load, check raw, window, features, check table, split, fit, evaluate, explain.

This module alone knows the way, `planning` how it begins and `training` the part from the split to the explanation. A
room receives values and returns values; recording what came out is the last room, entered by `run`.
"""

import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.cluster import cluster_of
from leadscore.config.schema import Config
from leadscore.errors import WindowError
from leadscore.memory import Memory
from leadscore.planning import compose, load_plugins, plan_features, plan_run
from leadscore.preparing import Step, code_once, content_once, dataset_asked, load_once, model_table
from leadscore.reporting import draw_report, judge_against_champion
from leadscore.results import Dataset, TrainedRun, Windows
from leadscore.times import parse_duration
from leadscore.training import train_model

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.features import FeatureTable
    from leadscore.features.audit import AuditReport
    from leadscore.features.build import ColumnCache
    from leadscore.split import Seal
    from leadscore.tables import Tables
    from leadscore.window import Observations

__all__ = [
    "Step",
    "add_features",
    "build_dataset",
    "compose",
    "load_plugins",
    "plan_features",
    "plan_run",
    "run",
    "train_model",
    "walk_to_folds",
]

log = logging.getLogger(__name__)
Tell = Callable[[TrainedRun, Path, dict[str, Any], str | None], None]  # run, folder, identity, where it was logged


def walk_to_folds(config: Config, step: Step = log.info, memory: Memory | None = None) -> Windows:
    """Load, check and observe, keep off the seal, and lay the folds: all that needs no feature."""
    from leadscore.split import AUTO, embargo_of, keep_off, make_folds
    from leadscore.window import left_out

    windows, validation = _observed(config, step, memory or Memory()), config.validation
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


def _observed(config: Config, step: Step, memory: Memory) -> Windows:
    """Load, check and observe; name the seal, and take nothing away yet."""
    from leadscore.features import check_sources
    from leadscore.window import observe

    plan = plan_run(config)
    store, tables = load_once(config, memory, step)
    check_sources(plan, tables)
    step("observing leads")
    asked = (config.data, config.compute, config.window)
    observations = memory.recall(
        "observations", asked, lambda: observe(tables, config.window, config.data.statuses, config.data.labels)
    )
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


def add_features(windows: Windows, step: Step = log.info, memory: Memory | None = None) -> Dataset:
    """Compute and check the model table of a run whose folds are laid.

    With a memory, the windows are those that its config asks for.
    """
    memory = memory or Memory()
    config = windows.config
    asked = dataset_asked(config)
    is_known = memory.knows("features", asked)
    audit, table = memory.recall("features", asked, lambda: _built(windows, step))
    if is_known:
        table = replace(table, seconds={}, recalled=tuple(sorted(table.X)))
    tables, folds, seal = windows.tables, windows.folds, windows.seal
    return Dataset(config, windows.plan, tables, windows.observations, folds, table, audit, seal)


def _built(windows: Windows, step: Step) -> "tuple[AuditReport | None, FeatureTable]":
    audit = _audited(windows, step)  # first: it says best what is wrong with a feature
    step("building features")
    observations, compute = windows.observations.frame, windows.config.compute
    table = model_table(
        windows.plan,
        windows.tables,
        observations,
        workers=compute.workers,
        cache=_known_columns(windows),
        cluster=cluster_of(compute),
        step=step,
    )
    return audit, table


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
    config: Config,
    folder: str | Path | None = None,
    *,
    step: Step = log.info,
    tell: Tell | None = None,
    memory: Memory | None = None,
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
    memory : Memory, optional
        Of the runs that this process did before.

    Raises
    ------
    LeadscoreError
        After recording the run as failed, with the reason.
    """
    from leadscore.config.secrets import refuse_secrets
    from leadscore.handover import serving_of
    from leadscore.identity.profile import profile
    from leadscore.identity.run import begin, with_content
    from leadscore.identity.surroundings import git_state
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

    memory = memory or Memory()
    refuse_secrets(asdict(config))
    plan = plan_run(config)
    code = code_once(config, plan, memory)
    identity = begin(config, plan, code, memory.recall("git", Path.cwd(), git_state))
    tracker = make_tracker(config.tracking)
    tracker.check()
    root = Path(config.tracking.root)
    check_ledger(root)
    folder = Path(folder or root / f"{datetime.now(UTC):%Y-%m-%d}" / identity["run_id"])
    with closing(Shelf(folder, identity)) as shelf:
        try:
            shelf.json(CODE, code.to_json())
            write_config(shelf, config)
            windows = walk_to_folds(config, step, memory)
            _freeze(windows, identity["run_id"])
            identity = with_content(identity, windows, content_once(config, windows.tables, memory))
            shelf.json(IDENTITY, identity)
            write_windows(shelf, windows)
            of_data = memory.recall("profile", (config.data, config.compute), lambda: profile(windows.tables))
            shelf.json(DATA, of_data)
            dataset = add_features(windows, step, memory)
            write_features(shelf, dataset)
            trained = train_model(dataset, config, step, looks=family(root, identity["validation_hash"]) + 1)
            step("recording")
            enter(root, identity, identity["validation_hash"], "evaluated")  # before anybody can see a number
            model_sha256 = write_run(shelf, trained, serving_of(trained, identity))
            identity = {**ended(identity, "done"), "model_sha256": model_sha256}
            shelf.json(IDENTITY, identity)
        except BaseException as error:
            record_failure(shelf, tracker, identity, error)
            if config.report and isinstance(error, Exception):  # who presses Ctrl-C waits for nothing
                draw_report(folder, step)
            raise
        where = record_run(shelf, tracker)
        if tell is not None:
            tell(trained, folder, identity, where)
        if config.report:
            judge_against_champion(shelf, root)
            draw_report(folder, step)
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
