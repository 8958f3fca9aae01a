"""Today's tables for scores of some time ago: by the data config that the run recorded, unless another is named."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from leadscore.config.score_schema import ScoreConfig
from leadscore.errors import ConfigError, DataError, WindowError, did_you_mean, examples
from leadscore.times import parse_duration

if TYPE_CHECKING:
    from leadscore.config.schema import Config, WindowConfig
    from leadscore.record import Run
    from leadscore.scoring.past import PastScores
    from leadscore.tables import Tables

__all__ = ["config_today", "recorded_today", "refuse_older", "rows_of_leads", "window_of_life"]

RECORDED = "as_the_run_recorded"  # the choice of `data` that stands for the run's own


def recorded_today(run: "Run", overrides: Sequence[str]) -> "Config":
    """Return a run's recorded config; the modules that it used are those that `plugins=[...]` names."""
    from leadscore.config.command import named_plugins
    from leadscore.scoring.batch import recorded_config_of

    return recorded_config_of(run, named_plugins(overrides))


def config_today(
    recorded: "Config", overrides: Sequence[str], allowed: Sequence[str], config_dir: str | Path | None = None
) -> ScoreConfig:
    """Return how to read today's tables.

    Parameters
    ----------
    recorded : Config
        From `recorded_today`.
    overrides : sequence of str
        As on the scoring door's command line. `data=NAME` chooses a data config; without it the run's recorded one is
        taken, which `data.KEY=VALUE` then changes.
    allowed : sequence of str
        The keys that the asker heeds.
    config_dir : path, optional
        A folder with your own configs.

    Raises
    ------
    ConfigError
        For a key that would be ignored, and as `compose_score`.
    """
    from leadscore.config.compose import as_choice
    from leadscore.scoring.composing import compose_score

    keys = [override.partition("=")[0].lstrip("+~").partition("@")[0] for override in overrides]
    for override, key in zip(overrides, keys, strict=True):
        if key.partition(".")[0] not in allowed:
            raise ConfigError(
                f"{override}: what was scored is scored; only how to read today's tables is chosen here. "
                f"{did_you_mean(key, allowed, 'Keys')}"
            )
    if "data" in keys:
        return compose_score(overrides, config_dir=config_dir)
    with as_choice("data", RECORDED, recorded.data):
        return compose_score([f"data={RECORDED}", *overrides], config_dir=config_dir)


def window_of_life(window: "WindowConfig") -> "WindowConfig":
    """Return a run's window without the borders of its training."""
    return replace(window, start=None, end=None)


def refuse_older(tables: "Tables", past: "PastScores") -> None:
    """Refuse tables that end before those that were scored: they know less than the scores did."""
    if past.data_end is not None and tables.data_end < past.data_end:
        raise DataError(
            f"today's tables are complete up to {tables.data_end:%Y-%m-%d %H:%M} UTC, and those that {past.name} was "
            f"scored from were up to {past.data_end:%Y-%m-%d %H:%M}: name newer ones by data=NAME or data.dir=DIR, or, "
            f"where the run's own data config states an earlier end, by data.data_end=TIME"
        )


def rows_of_leads(tables: "Tables", window: "WindowConfig", scored: pd.DataFrame) -> Any:
    """Return the row of the lead table that each scored row is of, an int array (n,); -1 where there is none.

    Raises
    ------
    WindowError
        When a lead has several rows, and none of them says which score is its own.
    """
    leads = tables.leads
    if tables.lead_ids.is_unique:
        return tables.lead_ids.get_indexer(scored["user_id"])
    if "as_of" not in leads:
        again = leads.loc[leads["user_id"].duplicated(), "user_id"]
        raise WindowError(
            f"today's lead table has several rows for {again.nunique():,} leads ({examples(again.head(4))}), and "
            f"without as_of nothing says which of them was scored: map it in data.leads.columns"
        )
    at = leads["as_of"]
    if floor := getattr(window, "floor", None):
        at = at.dt.floor(pd.Timedelta(parse_duration(floor))).astype(at.dtype)
    points = pd.MultiIndex.from_arrays([leads["user_id"], at])
    first = ~points.duplicated()
    found = points[first].get_indexer(pd.MultiIndex.from_frame(scored[["user_id", "as_of"]]))
    rows = first.nonzero()[0]
    return pd.Series(found).map(lambda place: rows[place] if place >= 0 else -1).to_numpy(dtype="int64")
