"""The part of the walk that training and scoring share: tables in through the edge, the model table out."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.cluster import Cluster
    from leadscore.config.schema import Config, DataConfig
    from leadscore.features import FeatureTable, Plan
    from leadscore.features.build import ColumnCache
    from leadscore.identity.source import Code
    from leadscore.memory import Memory
    from leadscore.store import Store
    from leadscore.tables import Tables

__all__ = ["Step", "code_once", "content_once", "dataset_asked", "load_checked", "load_once", "model_table"]

log = logging.getLogger(__name__)
Step = Callable[[str], None]  # told what is being done


def load_checked(
    config: "DataConfig", store: "Store | None", step: Step = log.info, cluster: "Cluster | None" = None
) -> "Tables":
    """Load a data config's tables and check them: the one way in, for training and for scoring."""
    from leadscore.data import prepared_tables
    from leadscore.schemas import check_raw

    def check(tables: "Tables") -> None:
        step("checking tables")
        check_raw(tables, config)

    step("loading tables")
    return prepared_tables(config, store, check, cluster)


def load_once(config: "Config", memory: "Memory", step: Step = log.info) -> "tuple[Store | None, Tables]":
    """Return a run's cache and its tables, loaded and checked unless the last run in this process had the same."""
    from leadscore.cluster import cluster_of
    from leadscore.store import open_store

    def load() -> "tuple[Store | None, Tables]":
        store = open_store(config.compute)
        return store, load_checked(config.data, store, step, cluster_of(config.compute))

    return memory.recall("tables", (config.data, config.compute), load)


def dataset_asked(config: "Config") -> tuple[Any, ...]:
    """Return all that decides a run's tables, observations, folds and features: two runs of one process share them."""
    of_rows = (config.data, config.compute, config.window, config.validation, config.tracking.root)
    return (*of_rows, config.features, config.definitions, config.plugins, config.audit)


def code_once(config: "Config", plan: "Plan", memory: "Memory") -> "Code":
    """Return the code that a run rests on; what a process has loaded stays as it is, so it is read once."""
    from leadscore.identity.asked import digest
    from leadscore.identity.run import code_of
    from leadscore.model.registry import parts_of, registration_of

    models = [registration_of(part.name).cls for part in parts_of(config.model).values()]
    what = [
        plan.asked,
        config.definitions,
        dict(config.data.known_at_creation),
        *(part.__qualname__ for part in models),
    ]
    return memory.recall(f"code {digest(what)}", config.plugins, lambda: code_of(plan, *models))


def content_once(config: "Config", tables: "Tables", memory: "Memory") -> str:
    """Return the `data_hash` of a run's tables, hashed once."""
    from leadscore.identity.content import data_hash

    return memory.recall("content", (config.data, config.compute), lambda: data_hash(tables))


def model_table(
    plan: "Plan",
    tables: "Tables",
    observations: "pd.DataFrame",
    *,
    workers: int = 1,
    cache: "ColumnCache | None" = None,
    checked: bool = False,
    cluster: "Cluster | None" = None,
    step: Step = log.info,
) -> "FeatureTable":
    """Build and check the model table: the one way to it, for training and for scoring.

    Parameters
    ----------
    plan : Plan
    tables : Tables
    observations : DataFrame (n_observations, ...)
        `user_id`, `as_of`, `lead_row` and, where outcomes are known, `label`.
    workers : int
        Processes for feature functions.
    cache : ColumnCache, optional
    checked : bool
        Whether the caller has asked `lacking_sources`.
    cluster : Cluster, optional
        Its workers compute what is computed lead by lead.
    step : callable, optional
        Told what is being done.
    """
    from leadscore.features import build
    from leadscore.schemas import check_table

    if cluster is not None:
        cluster.meet(plan)
        tables = _sent(tables, cluster)
    table = build(tables, observations, plan, workers=workers, cache=cache, checked=checked, pool=cluster)
    step("checking the model table")
    labels = observations["label"].set_axis(table.X.index) if "label" in observations else None
    check_table(table.X, labels, {each.name: each for each in plan.columns})
    return table


def _sent(tables: "Tables", cluster: "Cluster") -> "Tables":
    """Return tables whose events are sent to workers that do not see the folder they are mapped from."""
    if tables.log is None or tables.log.folder is None or cluster.sees(tables.log.folder):
        return tables
    log.info("the workers do not see %s: events are sent to them", tables.log.folder)
    sent = replace(tables, log=replace(tables.log, folder=None))
    vars(sent)["lead_codes"] = tables.lead_codes  # a cached property: the leads are the same
    return sent
