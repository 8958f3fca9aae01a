"""The edge: from raw columns to typed frames. Behind it ids are text, times are UTC, numbers are numbers."""

from collections.abc import Sequence
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
from leadscore.data.money import in_one_currency
from leadscore.data.origin import Column, Findings, Origin, plural
from leadscore.data.values import cleaned, read_numbers, read_text
from leadscore.errors import DataError
from leadscore.times import parse_duration, parse_instant

__all__ = ["IDS", "TypedTable", "type_events", "type_leads"]

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
    wanted = event_columns(config.events)
    raw = _read(config.events, config.dir, wanted)
    frame = _typed(raw, wanted, config, config.events, now, findings)
    if config.event_types:
        types = frame["event_type"].cat.categories
        frame["event_type"] = _renamed(
            frame["event_type"].array, [config.event_types.get(each, each) for each in types]
        )
        if unseen := sorted(set(config.event_types) - set(types)):
            findings.note(f"{raw.origin.label}: data.event_types names {', '.join(unseen)}, which no event has.")
    if "amount" in frame:
        frame["amount"] = in_one_currency(frame, raw.origin, config.currency, config.rates, findings)
    if "ingested_at" not in frame:
        findings.note(
            f"{raw.origin.label}: no ingested_at, so events that arrived late count as known when they happened."
        )
    return TypedTable(frame, raw.origin, "event")


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
        if name in NEVER_MISSING and len(missing := _missing(column, series[name])):
            findings.problems.append(
                f"{column.label}: {plural(len(missing), 'value')} missing ({raw.origin.rows(missing)}); every "
                f"{_rows(wanted)[:-1]} has its {name}"
            )
    findings.count(f"{_rows(wanted)} read", raw.origin.n_rows)
    if raw.unused:
        findings.note(f"{raw.origin.label}: {_not_used(raw.unused)}")
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
