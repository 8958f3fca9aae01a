"""Which leads an audit looks at, and when: a few instants, the leads near them, and those leads' events alone."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from leadscore.eventlog import EventLog, LogPart
from leadscore.features.plan import Plan
from leadscore.tables import Tables

__all__ = ["Sample", "draw", "take_events"]

UNSEEN = "~unseen"  # a lead that is never observed: it keeps every event type, and every filter's values, in any world
QUANTILES = (0.45, 0.8)
MOST_WORDS = 200


@dataclass(frozen=True)
class Sample:
    """The base world.

    Attributes
    ----------
    tables : Tables
        The sample's leads, and their events.
    events : DataFrame or None
        The events as a frame; those of `UNSEEN` come last.
    observations : DataFrame (n_observations, 3)
        `user_id`, `as_of` (one of `instants`), `lead_row`.
    instants : tuple of Timestamp
    ids : frozenset of str
        The ids of all leads there are.
    own : DataFrame
        What the window room observed of these leads.
    """

    tables: Tables
    events: pd.DataFrame | None
    observations: pd.DataFrame
    instants: tuple[pd.Timestamp, ...]
    ids: frozenset[str]
    own: pd.DataFrame

    @property
    def events_of_leads(self) -> pd.DataFrame | None:
        """The events without those of `UNSEEN`."""
        return None if self.events is None else self.events[self.events["user_id"] != UNSEEN]

    def at(self, now: pd.Timestamp) -> pd.DataFrame:
        """Return the observations of one instant, RangeIndex."""
        return self.observations[self.observations["as_of"] == now].reset_index(drop=True)

    def with_events(self, events: pd.DataFrame | None) -> Tables:
        """Return the sample's tables with another log."""
        return replace(self.tables, log=None if events is None else EventLog.from_frame(events))


def draw(plan: Plan, tables: Tables, observations: pd.DataFrame, n_leads: int, rng: np.random.Generator) -> Sample:
    """Choose instants and leads, and cut their rows out of the tables.

    Parameters
    ----------
    plan : Plan
    tables, observations
        As `build` takes them.
    n_leads : int
        About how many leads; all when there are fewer.
    rng : Generator
    """
    created = tables.leads["created_at"].array.take(observations["lead_row"].to_numpy())
    seen = observations.assign(created=created)
    instants = _instants(seen, rng)
    per_instant = max(1, n_leads // len(instants))
    chosen: dict[str, Any] = {}
    for now in instants:
        near = seen[seen["created"] <= now]
        near = near.iloc[(near["as_of"] - now).abs().argsort(kind="stable")].drop_duplicates("user_id")
        near = near[~near["user_id"].isin(chosen)].head(per_instant)
        chosen.update(zip(near["user_id"], near["lead_row"], strict=True))
    own = observations[observations["user_id"].isin(chosen)].reset_index(drop=True)
    users, rows = list(chosen), np.array(list(chosen.values()), dtype="int64")
    kept = pd.Index(np.union1d(rows, own["lead_row"]))  # a lead may have several rows
    leads = tables.leads.iloc[kept].reset_index(drop=True)
    place = kept.get_indexer(rows)
    pairs = [
        pd.DataFrame({"user_id": users, "as_of": now, "lead_row": place})[
            (leads["created_at"].iloc[place] <= now).to_numpy()
        ]
        for now in instants
    ]
    asked = pd.concat(pairs, ignore_index=True)
    asked = asked.astype({"user_id": leads["user_id"].dtype, "as_of": observations["as_of"].dtype})
    own = own.assign(lead_row=kept.get_indexer(own["lead_row"]))
    events = None if tables.log is None else _events(tables.log, users, plan)
    log = None if events is None else EventLog.from_frame(events)
    cut = replace(tables, leads=leads, log=log, truth=None)
    return Sample(cut, events, asked, instants, frozenset(tables.leads["user_id"]), own)


def _instants(seen: pd.DataFrame, rng: np.random.Generator) -> tuple[pd.Timestamp, ...]:
    """Return two instants well inside the observed ones, so that there is a past and a future."""
    times = seen["as_of"].sort_values(ignore_index=True)
    places = [min(int((each + rng.uniform(-0.05, 0.05)) * len(times)), len(times) - 1) for each in QUANTILES]
    first, second = (times.iloc[place] for place in places)
    if first == second:  # one instant for all: the other lies a little before it
        first = second - (second - seen["created"].min()) / 8
    found = [now.as_unit("us") for now in (first, second) if (seen["created"] <= now).any()]
    return tuple(dict.fromkeys(found)) or (times.iloc[-1].as_unit("us"),)


def take_events(log: EventLog, user_ids: Iterable[str]) -> pd.DataFrame:
    """Return the events of some leads as a frame, without looking at those of the others.

    Examples
    --------
    >>> midnight = pd.to_datetime(["2024-03-05"] * 3, utc=True).as_unit("us")
    >>> frame = pd.DataFrame({"user_id": ["b", "a", "a"], "timestamp": midnight, "event_type": ["x", "z", "y"]})
    >>> take_events(EventLog.from_frame(frame), ["a"])["event_type"].tolist()
    ['y', 'z']
    """
    codes = np.unique(log.codes_of(list(user_ids)))
    codes = codes[codes >= 0]
    pieces = [_take(log, part, codes) for part in log.parts]
    return pd.concat(pieces, ignore_index=True) if len(pieces) > 1 else pieces[0]


def _take(log: EventLog, part: LogPart, codes: Any) -> pd.DataFrame:
    own = codes[(codes >= part.first_lead) & (codes < part.first_lead + part.n_leads)] - part.first_lead
    n = part.offsets[own + 1] - part.offsets[own]
    rows = np.repeat(part.offsets[own] - (np.cumsum(n) - n), n) + np.arange(n.sum())
    return _frame(log, part, rows, log.user_ids.array.take(np.repeat(own + part.first_lead, n)))


def _frame(log: EventLog, part: LogPart, rows: Any, user_ids: Any) -> pd.DataFrame:
    data: dict[str, Any] = {"user_id": user_ids}
    data |= {name: log.decoded(name, np.asarray(values[rows])) for name, values in part.columns.items()}
    return pd.DataFrame(data)


def _events(log: EventLog, users: list[str], plan: Plan) -> pd.DataFrame:
    specs = [step.feature.aggregate for step in plan.steps if step.feature.aggregate]
    filtered = {column for spec in specs for some in spec.filters for column, _ in some.where}
    pieces = [take_events(log, users)]
    for part in log.parts:
        rows = [_first_of_each(part.columns[name]) for name in log.names if name == "event_type" or name in filtered]
        once = np.unique(np.concatenate(rows)) if rows else np.arange(0)
        words = pd.array([UNSEEN] * len(once), dtype="str")
        pieces.append(_frame(log, part, once, words))
    return pd.concat(pieces, ignore_index=True)


def _first_of_each(values: Any) -> Any:
    """Return a row of each different value, of the first few."""
    if values.dtype.kind == "f":
        return np.unique(values, return_index=True)[1][:MOST_WORDS]
    rows = np.full(int(values.max()) + 2 if len(values) else 1, -1, dtype="int64")
    rows[values[::-1]] = np.arange(len(values))[::-1]  # -1, missing, is the last place
    return rows[rows >= 0][:MOST_WORDS]
