"""The edge: from raw columns to typed frames. Behind it ids are text, times are UTC, numbers are numbers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from leadscore.config.schema import FilesData, TableConfig
from leadscore.data.clock import time_rule
from leadscore.data.columns import ROW_NUMBER, Wanted, event_columns, lead_columns
from leadscore.data.files import RawTable, find_files, read_files
from leadscore.data.instants import read_instants
from leadscore.data.money import in_one_currency, refuse_several
from leadscore.data.origin import Column, Findings, Origin
from leadscore.data.values import cleaned, read_numbers, read_text
from leadscore.errors import DataError
from leadscore.times import parse_duration, parse_instant

__all__ = ["IDS", "TypedTable", "raw_events", "say_of_all", "type_events", "type_leads", "type_piece"]

IDS = ("user_id", "event_id")  # data.policy.null_ids decides about missing ones
NEVER_MISSING = ("created_at", "as_of", "timestamp", "event_type")


@dataclass(frozen=True)
class TypedTable:
    """A table after the edge, before any row is dropped.

    Attributes
    ----------
    frame : DataFrame (n_rows, n_columns)
        Leadscore's names, texts as str (leads) or category (events); the index is the row's position in the files.
    origin : Origin
        Where each position stands.
    noun : str
        What a row is: `lead` or `event`.
    """

    frame: pd.DataFrame
    origin: Origin
    noun: str


def type_leads(config: FilesData, now: datetime, findings: Findings) -> TypedTable:
    """Read and type the lead table.

    Parameters
    ----------
    config : FilesData
    now : datetime
        The wall clock: a later time than a day from now is a mistake.
    findings : Findings
        Gets the problems of the columns' values.

    Raises
    ------
    DataError
        When the files cannot be read or lack a column.
    """
    wanted = lead_columns(config)
    raw = _read(config.leads, config.dir, wanted)
    frame = _typed(raw, wanted, config, config.leads, now, findings)
    if raw.unused:
        findings.note(f"{raw.origin.label}: {_not_used(raw.unused)}")
    for name in wanted.kinds:
        if wanted.by_position(name):
            frame[name] = _by_position(wanted.mapped[name], len(frame), config, findings)
    if "created_at" not in frame:
        frame["created_at"] = frame["as_of"]
        findings.note(f"{raw.origin.label}: no created_at; each lead counts as created at its as_of.")
    columns = {name: frame[name] for name in wanted.kinds if name in frame}
    texts = {name: values.astype("str") for name, values in columns.items() if values.dtype == "category"}
    return TypedTable(pd.DataFrame({**columns, **texts}), raw.origin, "lead")


def type_events(config: FilesData, now: datetime, findings: Findings) -> TypedTable | None:
    """Read and type the event table; None when the config has none. As `type_leads`."""
    if config.events is None:
        return None
    raw = raw_events(config)
    frame, types = type_piece(raw, config, now, findings)
    say_of_all(raw, frame, types, config, findings)
    return TypedTable(frame, raw.origin, "event")


def raw_events(config: FilesData) -> RawTable:
    """Find the event table's files and columns; rows are read when a column is asked for."""
    assert config.events is not None
    return _read(config.events, config.dir, event_columns(config.events))


def type_piece(raw: RawTable, config: FilesData, now: datetime, findings: Findings) -> tuple[pd.DataFrame, set[str]]:
    """Type the event table, or some rows of it; return its event types too, as the files name them."""
    assert config.events is not None
    frame = _typed(raw, event_columns(config.events), config, config.events, now, findings)
    types = frame["event_type"].cat.categories
    if config.event_types:
        frame["event_type"] = _renamed(
            frame["event_type"].array, [config.event_types.get(each, each) for each in types]
        )
    if "amount" in frame:
        frame["amount"] = in_one_currency(frame, raw.origin, config.currency, config.rates, findings)
    return frame, set(types)


def say_of_all(raw: RawTable, names: Collection[str], types: set[str], config: FilesData, findings: Findings) -> None:
    """Say what can only be said of the event table as a whole."""
    label = raw.origin.label
    if raw.unused:
        findings.note(f"{label}: {_not_used(raw.unused)}")
    if unseen := sorted(set(config.event_types) - types):
        findings.note(f"{label}: data.event_types names {', '.join(unseen)}, which no event has.")
    if "ingested_at" not in names:
        findings.note(f"{label}: no ingested_at, so events that arrived late count as known when they happened.")
    refuse_several(raw.origin, findings)


def _read(table: TableConfig, folder: str, wanted: Wanted) -> RawTable:
    if table.decimal not in (".", ","):
        raise DataError(f"{wanted.key}.decimal {table.decimal!r} is not '.' or ','")
    paths = find_files(table, folder, wanted.key)
    where = paths[0].name if len(paths) == 1 else f"{table.path} ({len(paths)} files)"
    return read_files(paths, table, wanted.key, lambda header, hint: wanted.choose(header, hint, where))


def _typed(
    raw: RawTable, wanted: Wanted, config: FilesData, table: TableConfig, now: datetime, findings: Findings
) -> pd.DataFrame:
    rule = time_rule(config, table.time_format, now)
    series = {}
    for name in wanted.in_files(list(raw.columns)):
        column = raw.columns[wanted.file_name(name)]
        null_texts = table.null_values.get(name, [])
        if wanted.kinds[name] == "text":
            series[name], n_changed = read_text(column, null_texts, findings)
            findings.count(f"{_rows(wanted)} texts put in one form (Unicode NFC, no spaces around)", n_changed)
        else:
            column = cleaned(column, null_texts, findings)
            if wanted.kinds[name] == "time":
                series[name] = read_instants(column, rule, findings)
            else:
                series[name] = read_numbers(column, table.decimal, findings)
        if name in NEVER_MISSING:
            missing = _missing(column, series[name])
            words = f"missing ({{at}}); every {_rows(wanted)[:-1]} has its {name}"
            findings.wrong(raw.origin, column.label, missing, words, noun="value")
    findings.count(f"{_rows(wanted)} read", raw.origin.n_rows)
    return pd.DataFrame(series, index=pd.RangeIndex(raw.origin.n_rows))


def _missing(column: Column, values: pd.Series) -> Any:
    """Return the rows without a value; one that stands there and cannot be read has been told already."""
    absent = values.isna() if isinstance(values.dtype, pd.CategoricalDtype) else column.cells.is_null()
    return np.flatnonzero(np.asarray(absent))


def _rows(wanted: Wanted) -> str:
    return wanted.key.removeprefix("data.")


def _not_used(names: Sequence[str]) -> str:
    are = "column is" if len(names) == 1 else "columns are"
    return f"{len(names)} {are} not used: {', '.join(names)}."


def _renamed(values: pd.Categorical, words: Sequence[str]) -> pd.Categorical:
    """Return text with its categories renamed, several to one where they are to mean the same."""
    place, different = pd.factorize(pd.Index(words, dtype="str"))
    return pd.Categorical.from_codes(np.append(place, -1)[values.codes], categories=different)


def _by_position(word: str, n_rows: int, config: FilesData, findings: Findings) -> Any:
    if word == ROW_NUMBER:
        findings.note("Leads have no id of their own: user_id is the row's number in the lead table, from 1.")
        return pd.Series(range(1, n_rows + 1)).astype("str")
    assert config.row_order is not None  # config.relations refuses row_order without it
    start, step = parse_instant(config.row_order.start), parse_duration(config.row_order.step)
    findings.note(
        f"The lead table's times are its rows' order, from {start:%Y-%m-%d} in steps of {config.row_order.step}: an "
        f"order, not dates."
    )
    instants = pd.Timestamp(start).as_unit("us") + pd.Series(np.arange(n_rows)) * pd.Timedelta(step).as_unit("us")
    return instants.astype("datetime64[us, UTC]")
