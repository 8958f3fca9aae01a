"""The event log as every room receives it: coded, in one order, in parts that each fit in memory.

Texts are small integers into a list of words, times are microseconds since 1970 in UTC, and the events of a lead stand
together, oldest first. So a window of a lead is a slice, a filter compares integers, and nothing is sorted twice.
"""

import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = [
    "MISSING",
    "TIMES",
    "EventLog",
    "LogPart",
    "canonical_order",
    "code_columns",
    "code_type",
    "coded",
    "group_rows",
    "n_parts",
    "part_of",
    "places_of",
    "repeated_rows",
]

Array = np.ndarray[Any, Any]
MISSING = -1  # the code of a missing text
PART_ROWS = 12_000_000  # a log of more rows is cut into parts of about this many, by a hash of the lead's id
OWN = ("user_id", "timestamp", "event_type")
TIMES = ("timestamp", "ingested_at")


@dataclass(frozen=True)
class LogPart:
    """The events of some leads, by lead and time.

    Attributes
    ----------
    first_lead : int
        Code of its first lead; the others follow.
    offsets : array of int64 (n_leads + 1,)
        The events of its lead i are rows `offsets[i]` up to, not including, `offsets[i + 1]`.
    columns : mapping of str to array (n_rows,)
        int64 microseconds for a time, float64 for a number, integer codes (-1 where missing) for a text.
    """

    first_lead: int
    offsets: Array
    columns: Mapping[str, Array]

    @property
    def n_leads(self) -> int:
        """How many leads have events in this part."""
        return len(self.offsets) - 1


@dataclass(frozen=True)
class EventLog:
    """All events before `data_end`, by (lead, time, event type, the other columns in the order of their names).

    Attributes
    ----------
    user_ids : Index of str (n_leads,)
        The leads with events; a lead's place here is its code. By code point within each part.
    parts : tuple of LogPart
        Usually one.
    words : mapping of str to Index of str
        For each text column, the words that occur in it, by code point; a code is a place here.
    folder : Path or None
        Where the log lies on disk, when its arrays are mapped from there; pickled, it is this name alone.
    some : tuple of int or None
        When it is a piece of the log in `folder`: the part it is cut from, and its first and last lead there.
    """

    user_ids: pd.Index
    parts: tuple[LogPart, ...]
    words: Mapping[str, pd.Index]
    folder: Path | None = field(default=None, compare=False)
    some: tuple[int, int, int] | None = field(default=None, compare=False)

    def __reduce__(self) -> Any:
        if self.folder is None:
            return super().__reduce__()
        from leadscore.eventlog_file import open_log

        return open_log, (self.folder, self.some)  # who receives it maps the same files

    def __len__(self) -> int:
        return sum(int(part.offsets[-1]) for part in self.parts)

    @property
    def names(self) -> list[str]:
        """The columns besides `user_id`, those of every log first."""
        return list(self.parts[0].columns)

    def kind(self, name: str) -> str:
        """Return `time`, `number` or `text`."""
        return "time" if name in TIMES else "text" if name in self.words else "number"

    @classmethod
    def from_frame(cls, events: pd.DataFrame) -> "EventLog":
        """Code and order a frame of events.

        Parameters
        ----------
        events : DataFrame (n_events, ...)
            `user_id`, `timestamp` (datetime64[us, UTC]) and `event_type`, none of them missing, perhaps `ingested_at`
            (a time), and any other column: float64 for a number, else text (str or categorical).

        Examples
        --------
        >>> midnight = pd.to_datetime(["2024-03-05"] * 3, utc=True).as_unit("us")
        >>> frame = pd.DataFrame({"user_id": ["b", "a", "a"], "timestamp": midnight, "event_type": ["x", "z", "y"]})
        >>> EventLog.from_frame(frame).to_frame()[["user_id", "event_type"]].values.tolist()
        [['a', 'y'], ['a', 'z'], ['b', 'x']]
        """
        lead, user_ids = coded(events["user_id"])
        columns, words = code_columns(events)
        order, _ = canonical_order(lead, len(user_ids), columns)
        return cls.from_codes(order, lead, user_ids, columns, words)

    @classmethod
    def from_codes(
        cls, order: Array, lead: Array, user_ids: pd.Index, columns: Mapping[str, Array], words: Mapping[str, pd.Index]
    ) -> "EventLog":
        """Take the rows `order`, which are in canonical order, of coded columns; what they do not use is left out."""
        n_events = np.bincount(lead[order], minlength=len(user_ids))
        own = n_events > 0
        user_ids, n_events = user_ids[own], n_events[own]
        codes = {name: _used(columns[name][order], words[name]) for name in words}
        data = {name: codes[name][0] if name in codes else columns[name][order] for name in columns}
        kept = {name: words for name, (_, words) in codes.items()}
        n = n_parts(len(order))
        if n == 1:
            return cls(user_ids, (LogPart(0, _offsets(n_events), data),), kept)
        part_of_lead = part_of(user_ids, n)
        rows, starts = group_rows(np.repeat(part_of_lead, n_events), n)
        leads, first = group_rows(part_of_lead, n)
        parts = tuple(
            LogPart(
                int(first[number]),
                _offsets(n_events[leads[first[number] : first[number + 1]]]),
                {name: values[rows[starts[number] : starts[number + 1]]] for name, values in data.items()},
            )
            for number in range(n)
        )
        return cls(user_ids[leads], parts, kept)

    def piece(self, part: LogPart, first: int, last: int) -> "EventLog":
        """Return the leads `[first, last)` of a part, by their places there, as a log of their own, of views."""
        begin, end = int(part.offsets[first]), int(part.offsets[last])
        columns = {name: values[begin:end] for name, values in part.columns.items()}
        own = LogPart(0, part.offsets[first : last + 1] - begin, columns)
        user_ids = self.user_ids[part.first_lead + first : part.first_lead + last]
        place = None
        if self.folder is not None and self.some is None:
            place = next(((number, first, last) for number, each in enumerate(self.parts) if each is part), None)
        return EventLog(user_ids, (own,), self.words, self.folder if place else None, place)

    def joined(self) -> LogPart:
        """Return all parts as one, copied."""
        begins = np.cumsum([0, *(part.offsets[-1] for part in self.parts)])
        offsets = [part.offsets[:-1] + begin for part, begin in zip(self.parts, begins, strict=False)]
        columns = {name: np.concatenate([part.columns[name] for part in self.parts]) for name in self.names}
        return LogPart(0, np.concatenate([*offsets, begins[-1:]]), columns)

    def to_frame(self) -> pd.DataFrame:
        """Return the log as people read it: `user_id` and texts as str, times in UTC, RangeIndex."""
        frames = []
        for part in self.parts:
            lead = np.repeat(np.arange(part.n_leads) + part.first_lead, np.diff(part.offsets))
            data: dict[str, Any] = {"user_id": self.user_ids.array.take(lead)}
            data |= {name: self.decoded(name, values) for name, values in part.columns.items()}
            frames.append(pd.DataFrame(data))
        return pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]

    def decoded(self, name: str, values: Array) -> Any:
        """Return values of a column as pandas holds them: instants, texts with NaN, or the numbers themselves."""
        kind = self.kind(name)
        if kind == "time":
            return pd.DatetimeIndex(values.view("datetime64[us]")).tz_localize("UTC")
        if kind == "text":
            return self.words[name].array.take(values.astype("int64"), allow_fill=True)
        return values

    def codes_of(self, user_ids: Any) -> Array:
        """Return the codes of leads, -1 for one without events."""
        return places_of(user_ids, self.user_ids)

    def span(self, name: str) -> tuple[Any, Any]:
        """Return the smallest and largest value of a time or number column."""
        values = [part.columns[name] for part in self.parts if len(part.columns[name])]
        return min(each.min() for each in values), max(each.max() for each in values)

    @cached_property
    def content(self) -> str:
        """sha256 (64 hex) of every cell, names and kinds; the order of the rows that came in does not matter."""
        whole = hashlib.sha256()
        for word in (*self.user_ids, *(text for name in sorted(self.words) for text in (name, *self.words[name]))):
            whole.update(str(word).encode() + b"\0")
        for part in self.parts:
            whole.update(part.offsets.astype("<i8").tobytes())
            for name in sorted(part.columns):
                values = part.columns[name]
                whole.update(f"{name} {self.kind(name)}".encode())
                if self.kind(name) == "number":  # one NaN and one zero, whatever made them
                    values = np.where(np.isnan(values), np.nan, values) + 0.0
                else:
                    values = values.astype("<i8" if self.kind(name) == "time" else "<i4")
                whole.update(np.ascontiguousarray(values).data)
        return whole.hexdigest()


def places_of(texts: Any, words: pd.Index) -> Array:
    """Return where each text stands in `words`, int64, -1 where nowhere.

    As `words.get_indexer(texts)`, which would make a Python object of every id and keep them with the index.

    Examples
    --------
    >>> places_of(pd.Series(["b", None, "x"], dtype="str"), pd.Index(["a", "b"], dtype="str")).tolist()
    [1, -1, -1]
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    looked_up, known = (pa.array(pd.Index(each, dtype="str").array) for each in (texts, words))
    found: Array = pc.index_in(looked_up, value_set=known).fill_null(MISSING).to_numpy()
    return found.astype("int64")


def n_parts(n_rows: int) -> int:
    """Return into how many parts a log of `n_rows` is cut: its size alone decides, so that a content has one form."""
    return max(1, -(-n_rows // PART_ROWS))


def part_of(user_ids: Iterable[Any], n: int) -> Array:
    """Return the part of each lead, by a hash of its id."""
    if n == 1:
        return np.zeros(len(user_ids), dtype="int64")  # type: ignore[arg-type]
    texts = user_ids.tolist() if isinstance(user_ids, pd.Index) else list(user_ids)
    return np.array([zlib.crc32(str(user_id).encode()) for user_id in texts], dtype="int64") % n


def coded(values: Any) -> tuple[Array, pd.Index]:
    """Return texts as codes and the words that occur, by code point; -1 where missing.

    Examples
    --------
    >>> codes, words = coded(pd.Series(["b", None, "a", "b"], dtype="str"))
    >>> codes.tolist(), list(words)
    ([1, -1, 0, 1], ['a', 'b'])
    """
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes, words = _used(values.array.codes, pd.Index(values.array.categories, dtype="str"))
        order = words.argsort()
        place = np.empty(len(words) + 1, dtype="int64")
        place[order], place[MISSING] = np.arange(len(words)), MISSING
        codes, words = place[codes], words[order]
    else:
        codes, words = pd.factorize(pd.Series(values).astype("str"), sort=True)
    return codes.astype(code_type(len(words))), pd.Index(words, dtype="str")


def code_columns(events: pd.DataFrame) -> tuple[dict[str, Array], dict[str, pd.Index]]:
    """Return a frame's columns besides `user_id` as a log holds them, and the words of its texts."""
    columns, words = {}, {}
    for name in [*OWN[1:], *sorted(set(events) - set(OWN))]:
        values = events[name]
        if name in TIMES:
            columns[name] = values.dt.tz_convert("UTC").dt.as_unit("us").array.asi8
        elif pd.api.types.is_float_dtype(values):
            columns[name] = values.to_numpy()
        else:
            columns[name], words[name] = coded(values)
    return columns, words


def _used(codes: Array, words: pd.Index) -> tuple[Array, pd.Index]:
    used = np.zeros(len(words) + 1, dtype=bool)
    used[codes] = True  # the last place is that of a missing text
    used = used[:-1]
    if used.all():
        return codes, words
    place = np.append(np.cumsum(used) - 1, MISSING)
    return place[codes].astype(code_type(int(used.sum()))), words[used]


def _offsets(counts: Array) -> Array:
    return np.concatenate([[0], np.cumsum(counts)])


def code_type(n: int) -> str:
    """Return the integer type of codes into `n` words."""
    return "int8" if n < 2**7 else "int16" if n < 2**15 else "int32"


def group_rows(groups: Array, n: int) -> tuple[Array, Array]:
    """Return the rows of each group together, in their own order, and where each group begins.

    Parameters
    ----------
    groups : array of int (n_rows,)
        From 0 to n - 1.

    Examples
    --------
    >>> rows, offsets = group_rows(np.array([1, 0, 1]), 2)
    >>> rows.tolist(), offsets.tolist()
    ([1, 0, 2], [0, 1, 3])
    """
    from scipy.sparse import csr_array

    # A matrix with one entry a row, turned to columns, is a counting sort: four times faster than a stable argsort.
    starts = np.arange(len(groups) + 1, dtype="int32" if len(groups) < 2**31 else "int64")
    cells = np.zeros(len(groups), dtype="int8")
    turned = csr_array((cells, groups.astype(starts.dtype), starts), shape=(len(groups), n)).tocsc()
    return turned.indices, turned.indptr.astype("int64")


def canonical_order(lead: Array, n_leads: int, columns: Mapping[str, Array]) -> tuple[Array, Array]:
    """Return the rows by (lead, time, event type, other columns by name), and which of them share an instant.

    The same events come in the same order from any file, split or format. A missing value stands before every other;
    rows that are equal throughout are interchangeable, and keep their order.

    Parameters
    ----------
    lead : array of int (n_rows,)
        From 0 to n_leads - 1.
    columns : mapping of str to array (n_rows,)
        Codes of texts are in the order of the words.

    Returns
    -------
    array of int (n_rows,)
    array of int
        Where in it a row has the lead and time of the row before.
    """
    time = columns["timestamp"]
    if (time[1:] >= time[:-1]).all():
        order, _ = group_rows(lead, n_leads)
    else:
        by_time = np.argsort(time)  # ties are put in order below
        order = by_time[group_rows(lead[by_time], n_leads)[0]]
    in_order = time[order]
    again = np.flatnonzero(in_order[1:] == in_order[:-1]) + 1
    again = again[lead[order[again]] == lead[order[again - 1]]]
    if len(again):  # few rows share an instant: only they are compared by content
        tied = np.union1d(again, again - 1)
        rows = order[tied]
        instant = np.cumsum(~np.isin(tied, again))
        keys = [_sortable(columns[name][rows]) for name in _by_name(columns)]
        order[tied] = rows[np.lexsort((rows, *reversed(keys), instant))]
    return order, again


def repeated_rows(order: Array, again: Array, columns: Mapping[str, Array]) -> Array:
    """Return the rows that equal one before them throughout, of rows and places from `canonical_order`."""
    for name in _by_name(columns):
        values = columns[name]
        again = again[_sortable(values[order[again]]) == _sortable(values[order[again - 1]])]
    return order[again]


def _by_name(columns: Mapping[str, Array]) -> list[str]:
    return ["event_type", *sorted(set(columns) - {"timestamp", "event_type"})]


def _sortable(values: Array) -> Array:
    return np.where(np.isnan(values), -np.inf, values) if values.dtype.kind == "f" else values
