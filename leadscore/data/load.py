"""The loading room's door: from a data config to `Tables`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from leadscore.config.schema import ComputeConfig, DataConfig, DemoData, FilesData
from leadscore.data.edge import TypedTable, type_events, type_leads
from leadscore.data.event_rows import settle_events
from leadscore.data.origin import Findings
from leadscore.data.rows import complete_until, ends_of_events, settle_leads
from leadscore.data.spread import SpreadEvents, spread_events
from leadscore.errors import DataError, raise_all
from leadscore.pools import Pool
from leadscore.tables import Tables
from leadscore.times import parse_instant

__all__ = ["load_events", "load_tables", "read_tables"]


def load_tables(config: DataConfig, folder: Path | None = None, pool: Pool | None = None) -> Tables:
    """Return the tables that a data config names, read from files or simulated.

    Parameters
    ----------
    config : DataConfig
        `FilesData` or `DemoData`, as `compose(...).data` holds it.
    folder : Path, optional
        An empty one, where an event log of several parts is written while it is made and then mapped from: a long log
        never stands in memory twice.
    pool : Pool, optional
        Reads the event table, where it can, into the folder.

    Returns
    -------
    Tables
        Ids as text, times in UTC, amounts in one currency; every dropped row counted, every assumption noted.

    Raises
    ------
    DataError
        With all problems of a stage: files and columns, then values, then rows.
    """
    if isinstance(config, DemoData):
        from leadscore.data.demo import simulate

        return simulate(config)
    if isinstance(config, FilesData):
        return read_tables(config, folder, pool)
    raise DataError(f"data.source {config.source!r}: a {type(config).__name__} says neither files nor how to simulate")


def load_events(
    config: DataConfig, start: datetime | str | None = None, end: datetime | str | None = None
) -> pd.DataFrame:
    """Return the events with `start <= timestamp < end`, as they are after the edge.

    Parameters
    ----------
    config : DataConfig
    start, end : datetime or str, optional
        Instants with a zone, or ISO 8601 texts, where a date alone is midnight UTC. None: no border.

    Returns
    -------
    DataFrame (n_events, ...)
        The columns of `Tables.events`, by (user_id, timestamp), RangeIndex. Tables that a run has kept in the default
        cache are not read again.

    Raises
    ------
    DataError
        When a border has no zone, or the data have no events; and as `load_tables`.
    """
    borders = {name: _instant(name, value) for name, value in (("start", start), ("end", end)) if value is not None}
    from leadscore.data.prepared import kept_tables  # which loads by `load_tables`
    from leadscore.store import open_store

    tables = kept_tables(config, open_store(ComputeConfig())) or load_tables(config)
    events = tables.events
    if events is None:
        raise DataError("the data have no events: data.events is not set")
    if "start" in borders:
        events = events[events["timestamp"] >= borders["start"]]
    if "end" in borders:
        events = events[events["timestamp"] < borders["end"]]
    return events.reset_index(drop=True)


def _instant(name: str, value: Any) -> pd.Timestamp:
    if isinstance(value, str):
        try:
            value = parse_instant(value)
        except ValueError as error:
            raise DataError(f"load_events({name}=...): {error}") from None
    if not isinstance(value, datetime):
        raise DataError(f"load_events({name}={value!r}): give a datetime with a zone, or an ISO 8601 text")
    if value.tzinfo is None:
        raise DataError(
            f"load_events({name}={value!r}) has no zone, and 09:00 is a different instant in every zone: "
            f"give one, as in datetime(2024, 3, 10, tzinfo=UTC)"
        )
    return pd.Timestamp(value).tz_convert("UTC")


def read_tables(config: FilesData, folder: Path | None = None, pool: Pool | None = None) -> Tables:
    """Read, type and settle the lead table and, where there is one, the event table.

    Parameters
    ----------
    config : FilesData
    folder, pool
        As for `load_tables`.

    Returns
    -------
    Tables

    Raises
    ------
    DataError
        With all problems of a stage: files and columns, then values, then rows.
    """
    now = datetime.now(UTC)
    findings = Findings()
    leads, events = _typed(config, now, findings, None if folder is None else pool, folder)
    stated = None if config.data_end is None else pd.Timestamp(parse_instant(config.data_end))
    if stated is not None and stated > now + timedelta(days=1):
        raise DataError(
            f"data.data_end {config.data_end} is in the future: what has not happened yet would count as complete"
        )
    data_end = complete_until(leads, _ends(leads, events), stated, findings)
    kept_leads = settle_leads(leads, data_end, config.policy, findings)
    kept_events = None
    if isinstance(events, SpreadEvents):
        kept_events = events.settle(leads, kept_leads, data_end, config, findings)
    elif events is not None:
        kept_events = settle_events(events, leads, kept_leads, data_end, config.policy, findings, folder)
    raise_all(DataError, findings.problems)
    return Tables(
        leads=kept_leads,
        log=kept_events,
        data_end=data_end,
        attributes=dict(config.known_at_creation),
        counts=dict(findings.counts),
        notes=tuple(findings.notes),
    )


def _typed(config: FilesData, now: datetime, findings: Findings, pool: Pool | None, folder: Path | None) -> Any:
    """Type both tables before any problem is raised: a broken lead file must not hide a broken event file."""
    found: list[TypedTable | SpreadEvents | None] = []

    def events() -> TypedTable | SpreadEvents | None:
        spread = None
        if config.events is not None and pool is not None and folder is not None:
            spread = spread_events(config, now, findings, pool, folder)
        return spread or type_events(config, now, findings)

    for read in (lambda: type_leads(config, now, findings), events):
        try:
            found.append(read())
        except DataError as error:
            findings.problems.append(str(error).replace("\n", "\n   "))  # a list inside the list
    raise_all(DataError, findings.problems)
    return found


def _ends(leads: TypedTable, events: TypedTable | SpreadEvents | None) -> dict[str, pd.Timestamp]:
    if isinstance(events, SpreadEvents):
        return events.ends(leads)
    if events is None:
        return {}
    return ends_of_events(events.frame, pd.Index(leads.frame["user_id"]), events.origin.label)
