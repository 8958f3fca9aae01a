"""A past batch computed again: its leads at the instants of then, from today's tables, by a saved run's features."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from leadscore.config.schema import DataConfig, FilesData
from leadscore.config.score_schema import ScoreConfig
from leadscore.preparing import Step, load_checked, model_table
from leadscore.scoring.batch import moved_code_of
from leadscore.scoring.gaps import Gaps, find_gaps
from leadscore.scoring.past import PastScores
from leadscore.scoring.today import config_today, recorded_today, refuse_older, rows_of_leads

if TYPE_CHECKING:
    from leadscore.features import Plan
    from leadscore.record import Run
    from leadscore.tables import Tables

__all__ = ["HEEDED", "Again", "Shelved"]

log = logging.getLogger(__name__)
HEEDED = ("data", "compute", "plugins", "missing", "allow_code_change", "chunk_rows")


@dataclass
class Shelved:
    """Tables that were loaded already, so that two runs on the same data read them once."""

    step: Step
    tables: dict[str, "Tables"] = field(default_factory=dict)

    def load(self, data: DataConfig, config: ScoreConfig) -> "Tables":
        """Return the tables of a data config."""
        from leadscore.store import open_store

        key = repr(data)
        if key not in self.tables:
            self.tables[key] = load_checked(data, open_store(config.compute), self.step)
        return self.tables[key]


class Again:
    """One run's features for the rows of past batches.

    Parameters
    ----------
    run : Run
    overrides, config_dir
        As for `config_today`.
    shelf : Shelved
    other : Again, optional
        Of another run, whose config is shared where both runs recorded the same data.

    Raises
    ------
    LeadscoreError
        When the run's code or today's tables are not what its features need.
    """

    def __init__(
        self,
        run: "Run",
        overrides: Sequence[str],
        config_dir: str | Path | None,
        shelf: Shelved,
        other: "Again | None" = None,
    ) -> None:
        from leadscore.pipeline import plan_run

        self.run, self._shelf = run, shelf
        self.recorded = recorded_today(run, overrides)
        self.config: ScoreConfig
        if other is not None and other.recorded.data == self.recorded.data:
            self.config = other.config
        else:
            self.config = config_today(self.recorded, overrides, HEEDED, config_dir)
        self.plan: Plan = plan_run(self.recorded)
        _, self.notes = moved_code_of(run, self.recorded, self.plan, self.config)
        self._gaps: dict[int, Gaps] = {}

    @property
    def across_leads(self) -> bool:
        """Whether a feature compares leads, so that a batch can only be computed as a whole."""
        return any(step.feature.across_leads for step in self.plan.steps)

    def computes_like(self, other: "Again") -> bool:
        """Whether both runs have the same model table."""
        mine, theirs = self.recorded, other.recorded
        asked = [(each.data, each.features, each.definitions) for each in (mine, theirs)]
        return asked[0] == asked[1] and dict(self.run.model.columns) == dict(other.run.model.columns)

    def rows(self, past: PastScores, scored: pd.DataFrame) -> Any:
        """Return each scored row's row of the lead table, -1 where it has none any more."""
        return rows_of_leads(self._tables(past)[0], self.recorded.window, scored)

    def features(self, past: PastScores, scored: pd.DataFrame) -> pd.DataFrame:
        """Return the model table of some rows of a past batch, in their order.

        Parameters
        ----------
        past : PastScores
        scored : DataFrame (n, ...)
            `user_id` and `as_of`, of rows that `rows` finds.
        """
        tables, gaps = self._tables(past)
        asked = past.frame if self.across_leads else scored
        lead_row = rows_of_leads(tables, self.recorded.window, asked)
        points = asked[["user_id", "as_of"]].assign(lead_row=lead_row)
        points = points[lead_row >= 0].sort_values(["user_id", "as_of"], kind="stable", ignore_index=True)
        workers = self.config.compute.workers
        table = model_table(gaps.plan, tables, points, workers=workers, checked=True, step=log.debug)
        wanted = pd.MultiIndex.from_frame(scored[["user_id", "as_of"]])
        X = gaps.filled(table.X, self.run.model.columns)
        return X.iloc[X.index.get_indexer(wanted)]

    def _tables(self, past: PastScores) -> tuple["Tables", Gaps]:
        from leadscore.data.absent import without_absent

        data, absent = without_absent(_as_it_was(self.config.data, past))
        tables = self._shelf.load(data, self.config)
        if id(tables) not in self._gaps:
            refuse_older(tables, past)
            trained = f"{self.run.model.name} of run {self.run.run_id}"
            self._gaps[id(tables)] = find_gaps(self.plan, tables, absent, self.config, trained)
        return tables, self._gaps[id(tables)]


def _as_it_was(data: DataConfig, past: PastScores) -> DataConfig:
    """Return how to read the tables as a batch had them, where it was scored later than they were complete."""
    if past.data_end is None or not len(past.frame) or past.frame["as_of"].max() <= past.data_end:
        return data
    end = past.data_end.isoformat().replace("+00:00", "Z")
    if isinstance(data, FilesData):
        return replace(data, data_end=end, policy=replace(data.policy, late_events="drop"))
    return replace(data, data_end=end)
