"""A log's rows put in order and laid out part by part, so that no step holds a second copy of a long log."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leadscore.eventlog import EventLog, LogPart, canonical_order, code_type, group_rows, n_parts, part_of
from leadscore.eventlog_file import open_log, write_parts

__all__ = ["lay_out", "order_by_part"]

Array = np.ndarray[Any, Any]


def order_by_part(
    lead: Array, user_ids: pd.Index, columns: Mapping[str, Array], n: int, stays: Array | None = None
) -> list[tuple[Array, Array]]:
    """Return the rows of each part in canonical order, and the places of those that share an instant.

    Parameters
    ----------
    lead : array of int (n_rows,)
        Places in `user_ids`; -1 for a row without an id, which comes first in the first part.
    n : int
        How many parts there are.
    stays : array of bool (n_rows,), optional
        Only these rows.
    """
    if n == 1 and stays is None:
        return [canonical_order(lead + 1, len(user_ids) + 1, columns)]
    part = np.append(part_of(user_ids, n), 0).astype("int32" if n > 2**15 else "int16")[lead]
    if stays is not None:
        part[~stays] = -1
    return [_ordered(np.flatnonzero(part == number), lead, len(user_ids), columns) for number in range(n)]


def _ordered(rows: Array, lead: Array, n_leads: int, columns: Mapping[str, Array]) -> tuple[Array, Array]:
    rows = rows.astype("int32" if len(lead) < 2**31 else "int64")
    own = {name: values[rows] for name, values in columns.items()}
    order, again = canonical_order(lead[rows] + 1, n_leads + 1, own)
    return rows[order], again


def lay_out(
    orders: Sequence[Array],
    stays: Array,
    lead: Array,
    user_ids: pd.Index,
    columns: Mapping[str, Array],
    words: Mapping[str, pd.Index],
    folder: Path | None = None,
) -> EventLog:
    """Return the log of the rows that stay; leads and words that they do not use are left out.

    Parameters
    ----------
    orders : sequence of array of int
        From `order_by_part`, for as many parts as all rows would make.
    stays : array of bool (n_rows,)
        None of them without an id.
    folder : Path, optional
        Where a log of several parts is written, each part as soon as it is made; the log is then mapped from there.

    Returns
    -------
    EventLog
        As `EventLog.from_codes` makes it of all rows in canonical order.
    """
    all_ids = user_ids
    n_events = np.zeros(len(user_ids), dtype="int64")
    used = {name: np.zeros(len(words[name]) + 1, dtype=bool) for name in words}
    all_stay = bool(stays.all())
    rows: Array | slice = slice(None) if all_stay else np.flatnonzero(stays)
    n_events += np.bincount(lead[rows], minlength=len(user_ids))
    for name in words:
        used[name][columns[name][rows]] = True  # the last place is that of a missing text
    n = n_parts(int(n_events.sum()))
    own = n_events > 0
    user_ids, n_events = user_ids[own], n_events[own]
    part = part_of(user_ids, n)
    leads, first = group_rows(part, n)
    places = {name: _places(used[name][:-1]) for name in words}
    kept = {name: words[name][used[name][:-1]] for name in words}

    def made() -> Iterator[LogPart]:
        again = orders
        if len(orders) != n:
            again = [order for order, _ in order_by_part(lead, all_ids, columns, n, stays)]
        for number, order in enumerate(again):
            rows = order if all_stay else order[stays[order]]
            mine = leads[first[number] : first[number + 1]]
            yield LogPart(
                int(first[number]),
                np.concatenate([[0], np.cumsum(n_events[mine])]),
                {
                    name: places[name][values[rows]] if name in places and not used[name][:-1].all() else values[rows]
                    for name, values in columns.items()
                },
            )

    return _log(made(), user_ids[leads] if n > 1 else user_ids, kept, folder if n > 1 else None)


def _log(parts: Iterator[LogPart], user_ids: pd.Index, words: Mapping[str, pd.Index], folder: Path | None) -> EventLog:
    if folder is None:
        return EventLog(user_ids, tuple(parts), words)
    write_parts(parts, user_ids, words, folder)
    return open_log(folder)


def _places(used: Array) -> Array:
    """Return each word's new code, of the type that the words used need; the last place stands for -1."""
    return np.append(np.cumsum(used) - 1, -1).astype(code_type(int(used.sum())))
