"""The part of the walk that training and scoring share: tables in through the edge, the model table out."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.cluster import Cluster
    from leadscore.config.schema import DataConfig
    from leadscore.features import FeatureTable, Plan
    from leadscore.features.build import ColumnCache
    from leadscore.store import Store
    from leadscore.tables import Tables

__all__ = ["Step", "load_checked", "model_table"]

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
