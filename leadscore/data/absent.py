"""A production export that lacks a column: which ones, and the config that reads the rest through the same edge."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar

from leadscore.config.schema import DataConfig, FilesData, TableConfig
from leadscore.data.columns import EVENTS, LEADS, Wanted, event_columns, lead_columns
from leadscore.data.files import find_files, header_of

__all__ = ["without_absent"]

V = TypeVar("V")


def without_absent(config: DataConfig) -> tuple[DataConfig, dict[str, str]]:
    """Leave out what a feature may need and the files do not have.

    Parameters
    ----------
    config : DataConfig
        Keys, times, statuses and amounts are never left out: the edge refuses files without them.

    Returns
    -------
    DataConfig
        Without the lead attributes, the label and the further event columns that are absent.
    dict of str to str
        Leadscore's name of each to what was looked for, in words.

    Raises
    ------
    DataError
        When the files cannot be read.
    """
    if not isinstance(config, FilesData):
        return config, {}
    found: dict[str, str] = {}
    lacks = _absent(config.leads, config.dir, lead_columns(config), {*LEADS} - {"label"}, found)
    known = _without(config.known_at_creation, lacks)
    reduced = replace(config, leads=_left(config.leads, lacks), known_at_creation=known)
    if config.events is not None:
        lacks = _absent(config.events, config.dir, event_columns(config.events), {*EVENTS}, found)
        reduced = replace(reduced, events=_left(config.events, lacks))
    return reduced, found


def _absent(table: TableConfig, folder: str, wanted: Wanted, never: set[str], found: dict[str, str]) -> list[str]:
    header = header_of(find_files(table, folder, wanted.key), table, wanted.key)
    there = wanted.in_files(header)
    asked = [name for name in wanted.kinds if name in wanted.required or name in wanted.mapped]
    lacks = [name for name in asked if name not in there and name not in never and not wanted.by_position(name)]
    found |= {name: f"{table.path} has no column '{wanted.file_name(name)}'" for name in lacks}
    return lacks


def _without(mapping: Mapping[str, V], names: list[str]) -> dict[str, V]:
    return {name: value for name, value in mapping.items() if name not in names}


def _left(table: TableConfig, lacks: list[str]) -> TableConfig:
    changes: dict[str, Any] = {
        "columns": _without(table.columns, lacks),
        "null_values": _without(table.null_values, lacks),
        "numbers": [name for name in table.numbers if name not in lacks],
    }
    return replace(table, **changes)
