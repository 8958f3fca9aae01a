"""One batch of observations through the features' functions: the rows each is handed, the call, its values."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leadscore.errors import FeatureError
from leadscore.features.contract import checked_values
from leadscore.features.plan import Planned
from leadscore.features.registry import Feature
from leadscore.tables import Tables

__all__ = ["Batch", "EventLog", "Stopwatch", "compute_batch", "lead_rows"]


@dataclass(frozen=True)
class Batch:
    """Observations that one call serves: each lead at most once, and one `now` for all."""

    positions: np.ndarray[Any, Any]  # into the observations
    user_ids: pd.Index
    as_of: pd.Series  # each lead's own instant
    now: pd.Timestamp


class EventLog:
    """The event log with its leads coded once, so that each batch finds its rows by position."""

    def __init__(self, tables: Tables, observations: pd.DataFrame) -> None:
        if tables.events is None:
            self.log = pd.DataFrame(
                {"user_id": pd.Series(dtype="str"), "timestamp": pd.Series(dtype=observations["as_of"].dtype)}
            )
        else:
            self.log = tables.events
        self.users = pd.Index(observations["user_id"].unique())
        codes = self.users.get_indexer(self.log["user_id"])
        self.n_events = np.bincount(codes[codes >= 0], minlength=len(self.users))
        self.rows_by_user = np.argsort(codes, kind="stable")[(codes < 0).sum() :]  # leads never observed come first
        self.first = np.cumsum(self.n_events) - self.n_events

    def before(self, batch: Batch) -> pd.DataFrame:
        """Return the batch's events known strictly before each lead's `as_of`, moved so that `now` is one instant."""
        users = self.users.get_indexer(batch.user_ids)
        n = self.n_events[users]
        within = np.arange(n.sum()) - np.repeat(np.cumsum(n) - n, n)
        taken = self.rows_by_user[np.repeat(self.first[users], n) + within]
        order = np.argsort(taken, kind="stable")  # the log's own order
        rows = self.log.iloc[taken[order]]
        as_of = pd.Series(batch.as_of.dt.tz_convert(None).to_numpy().repeat(n)[order], index=rows.index).dt.tz_localize(
            "UTC"
        )
        known = rows["timestamp"] < as_of
        if "ingested_at" in rows:
            known &= rows["ingested_at"] <= as_of
        rows = rows[known]
        if (batch.as_of == batch.now).all():
            return rows
        move = batch.now - as_of[known]
        return rows.assign(**{column: rows[column] + move for column in ("timestamp", "ingested_at") if column in rows})


def lead_rows(tables: Tables, observations: pd.DataFrame) -> pd.DataFrame:
    """Return each observation's own row of the lead table: ids, creation and declared attributes, nothing else."""
    columns = ["user_id", "created_at", *tables.attributes]
    return tables.leads[columns].iloc[observations["lead_row"].to_numpy()].reset_index(drop=True)


def compute_batch(
    steps: list[Planned],
    batch: Batch,
    events: EventLog,
    leads: pd.DataFrame,
    columns: Mapping[str, np.ndarray[Any, Any]],
    clock: "Stopwatch",
) -> None:
    """Call each step's function once for the batch and write its values at the batch's positions."""
    rows = _Slices(events.before(batch), batch.now) if any(s.feature.source == "events" for s in steps) else None
    values: dict[str, pd.Series] = {}
    for step in steps:
        each = step.feature
        handed = _lead_slice(leads, batch, each) if rows is None or each.source == "leads" else rows.of(each)
        inputs = {argument: values[needed.name].copy() for argument, needed in step.inputs.items()}
        with clock.timing(each.name):
            result = _call(step, handed, batch.now, inputs)
        values[each.name] = checked_values(each, result, batch.user_ids, batch.now)
        columns[each.name][batch.positions] = values[each.name].to_numpy()


def _lead_slice(leads: pd.DataFrame, batch: Batch, each: Feature) -> pd.DataFrame:
    rows = leads.iloc[batch.positions][["user_id", "created_at", *each.columns]]
    if each.takes_now and not (batch.as_of == batch.now).all():
        move = batch.now - batch.as_of
        return rows.assign(created_at=rows["created_at"] + move.set_axis(rows.index))
    return rows


class _Slices:
    """A batch's events by event types, lookback and columns; features that ask for the same rows share them."""

    def __init__(self, rows: pd.DataFrame, now: pd.Timestamp) -> None:
        self.rows, self.now = rows, now
        self.kept: dict[Any, pd.DataFrame] = {}

    def of(self, each: Feature) -> pd.DataFrame:
        key = (each.event_types, each.lookback)
        if key not in self.kept:
            rows = self.rows
            if each.lookback is not None:
                rows = rows[rows["timestamp"] >= self.now - each.lookback]
            if each.event_types:
                rows = rows[rows["event_type"].isin(each.event_types)]
            self.kept[key] = rows
        return self.kept[key][["user_id", "timestamp", "event_type", *each.columns]]


def _call(step: Planned, rows: pd.DataFrame, now: pd.Timestamp, inputs: Mapping[str, pd.Series]) -> Any:
    each = step.feature
    arguments = (rows, now) if each.takes_now else (rows,)
    try:
        return each.function(*arguments, **step.parameters, **inputs)
    except (Exception, SystemExit) as error:  # a feature that exits must not end a sweep
        hint = ""
        if isinstance(error, KeyError) and error.args and error.args[0] not in rows.columns:
            hint = f"; it is handed {', '.join(rows.columns)}: declare others with columns=[...]"
        raise FeatureError(
            f"feature '{each.name}' raised {type(error).__name__}: {error}{hint} (now = {now})"
        ) from error


class Stopwatch:
    """Adds up the seconds spent under each name."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Add what the block takes to `name`."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
