"""The part of the walk that training and scoring share: tables in through the edge, the model table out."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.config.schema import DataConfig
    from leadscore.features import FeatureTable, Plan
    from leadscore.features.build import ColumnCache
    from leadscore.store import Store
    from leadscore.tables import Tables

__all__ = ["Step", "load_checked", "model_table"]

log = logging.getLogger(__name__)
Step = Callable[[str], None]  # told what is being done


def load_checked(config: "DataConfig", store: "Store | None", step: Step = log.info) -> "Tables":
    """Load a data config's tables and check them: the one way in, for training and for scoring."""
    from leadscore.data import prepared_tables
    from leadscore.schemas import check_raw

    def check(tables: "Tables") -> None:
        step("checking tables")
        check_raw(tables, config)

    step("loading tables")
    return prepared_tables(config, store, check)


def model_table(
    plan: "Plan",
    tables: "Tables",
    observations: "pd.DataFrame",
    *,
    workers: int = 1,
    cache: "ColumnCache | None" = None,
    checked: bool = False,
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
    step : callable, optional
        Told what is being done.
    """
    from leadscore.features import build
    from leadscore.schemas import check_table

    table = build(tables, observations, plan, workers=workers, cache=cache, checked=checked)
    step("checking the model table")
    labels = observations["label"].set_axis(table.X.index) if "label" in observations else None
    check_table(table.X, labels, {each.name: each for each in plan.columns})
    return table
