"""The notebook's way: filter and group the whole log for each feature, with the upper bound that notebooks forget."""

from typing import Any

import numpy as np
import pandas as pd

from feature_ways import COLUMNS
from feature_ways.functions import DAY, DECLARED, active_days_30d, events_by_type
from feature_ways.log import observations
from feature_ways.process import Job, Watch

__all__ = ["run"]

LOOPED = 20  # leads of which the loop is made; all take as long
NINE = [(function, declared) for function, declared in DECLARED if not function.__name__.startswith("n_")]
TEN = [*NINE, (events_by_type, {})]
ZERO = [name for name in COLUMNS if name not in ("days_since_login", "mean_gap", "weekend_share")]  # without events


def run(job: Job, watch: Watch) -> pd.DataFrame:
    """Read the log and compute the features."""
    with watch("read"):
        events, leads = pd.read_parquet(job.events), pd.read_parquet(job.leads)
    row, as_of = observations(leads["created_at"].astype("int64").to_numpy(), job.scenario)
    instants = pd.to_datetime(as_of, unit="us", utc=True).as_unit("us")
    asked = pd.DataFrame({"user_id": leads["user_id"].array.take(row), "as_of": instants})
    if job.way == "loop":
        some = asked.iloc[np.linspace(0, len(asked) - 1, LOOPED).astype(int)]
        with watch("compute", times=len(asked) / len(some)):
            return pd.concat([_one_lead(events, *each) for each in some.itertuples(index=False)], ignore_index=True)
    with watch("compute"):
        if job.scenario == "own":
            return _merged(events, asked)
        snapshots = [_snapshot(events, some, now) for now, some in asked.groupby("as_of")]
        return pd.concat(snapshots, ignore_index=True)


def _snapshot(events: pd.DataFrame, asked: pd.DataFrame, now: Any) -> pd.DataFrame:
    return _laid_out([function(_cut(events, now, declared), now) for function, declared in TEN], asked)


def _one_lead(events: pd.DataFrame, user_id: str, now: Any) -> pd.DataFrame:
    mine = events[events["user_id"] == user_id]
    return _snapshot(mine, pd.DataFrame({"user_id": [user_id], "as_of": [now]}), now)


def _merged(events: pd.DataFrame, asked: pd.DataFrame) -> pd.DataFrame:
    """Lay each lead's own `as_of` beside its events first; the functions' `now` is then one for each lead, or row."""
    events = events.merge(asked, on="user_id")
    now = asked.set_index("user_id")["as_of"]
    columns = []
    for function, declared in TEN:
        rows = _cut(events, events["as_of"], declared)
        columns.append(function(rows, rows["as_of"] if function is active_days_30d else now))
    return _laid_out(columns, asked)


def _cut(events: pd.DataFrame, now: Any, declared: dict[str, Any]) -> pd.DataFrame:
    wanted = events["timestamp"] < now
    if "lookback" in declared:
        wanted &= events["timestamp"] >= now - int(declared["lookback"].removesuffix("d")) * DAY
    if "event_type" in declared:
        wanted &= events["event_type"] == declared["event_type"]
    return events[wanted]


def _laid_out(columns: list[Any], asked: pd.DataFrame) -> pd.DataFrame:
    """Give every lead that was asked about its row."""
    *nine, by_type = columns
    named = {function.__name__: column for (function, _), column in zip(NINE, nine, strict=True)}
    wide = pd.DataFrame(named).join(by_type, how="outer").reindex(asked["user_id"])
    wide[ZERO] = wide[ZERO].fillna(0)
    return wide.assign(as_of=asked["as_of"].array).reset_index()
