"""What the tables were, column by column: two data hashes that differ say that something moved, these say what."""

from typing import Any

import numpy as np
import pandas as pd

from leadscore.eventlog import MISSING, EventLog
from leadscore.tables import Tables

__all__ = ["profile"]

Array = np.ndarray[Any, Any]
TOP = 5  # words listed
LISTED = 1_000  # a column of more different words holds ids or free text: none of them stands out
MIX = np.uint64(0x9E3779B97F4A7C15)  # 2**64 over the golden ratio: spreads near numbers far apart
NOT_A_TIME = np.iinfo(np.int64).min


def profile(tables: Tables) -> dict[str, Any]:
    """Return what `data.json` says: each table's rows, and of each column its kind, missing values, range and sum.

    Returns
    -------
    dict
        `data_end`, and for `leads` and `events` (None without a log) `rows`, `leads` and `columns`. A column has
        `kind`, `missing`, `sum` (16 hex: a checksum of its values, whatever the order of the rows), and `least` and
        `most`, or `different` and `top` (the most frequent words with their counts) where it holds texts.
    """
    return {
        "data_end": tables.data_end.isoformat(),
        "leads": _of_frame(tables.leads),
        "events": None if tables.log is None else _of_log(tables.log),
    }


def _of_frame(frame: pd.DataFrame) -> dict[str, Any]:
    columns = {}
    for name in frame.columns:
        column = frame[name]
        if isinstance(column.dtype, pd.DatetimeTZDtype):
            columns[str(name)] = _time(column.astype("int64").to_numpy())
        elif pd.api.types.is_numeric_dtype(column.dtype):
            columns[str(name)] = _number(column.to_numpy(dtype="float64"))
        else:
            codes, words = pd.factorize(column, sort=True)
            columns[str(name)] = _text(_counts(codes, len(words)), words, len(column))
    return {"rows": len(frame), "leads": int(frame["user_id"].nunique()), "columns": columns}


def _of_log(log: EventLog) -> dict[str, Any]:
    columns = {name: _log_column(log, name) for name in log.names}
    counts = np.concatenate([np.diff(part.offsets) for part in log.parts])
    return {
        "rows": len(log),
        "leads": len(log.user_ids),
        "columns": {"user_id": _text(counts, log.user_ids, len(log)), **columns},
    }


def _log_column(log: EventLog, name: str) -> dict[str, Any]:
    kind, parts = log.kind(name), [part.columns[name] for part in log.parts]
    if kind == "text":
        words = log.words[name]
        counts = np.sum([_counts(values, len(words)) for values in parts], axis=0)
        return _text(counts, words, len(log))
    return _joined([_time(values) if kind == "time" else _number(values) for values in parts])


def _counts(codes: Array, n_words: int) -> Array:
    return np.bincount(codes[codes != MISSING].astype("int64"), minlength=n_words)


def _time(values: Array) -> dict[str, Any]:
    known = values[values != NOT_A_TIME]
    least, most = (int(known.min()), int(known.max())) if len(known) else (None, None)
    return {
        "kind": "time",
        "missing": len(values) - len(known),
        "least": None if least is None else pd.Timestamp(least, unit="us", tz="UTC").isoformat(),
        "most": None if most is None else pd.Timestamp(most, unit="us", tz="UTC").isoformat(),
        "sum": _sum(values.view("uint64")),
    }


def _number(values: Array) -> dict[str, Any]:
    known = values[~np.isnan(values)]
    return {
        "kind": "number",
        "missing": len(values) - len(known),
        "least": float(known.min()) if len(known) else None,
        "most": float(known.max()) if len(known) else None,
        "sum": _sum(np.where(np.isnan(values), np.nan, values).view("uint64")),
    }


def _text(counts: Array, words: Any, rows: int) -> dict[str, Any]:
    most_first = np.argsort(-counts, kind="stable")[:TOP].tolist() if len(words) <= LISTED else []
    hashes = pd.util.hash_array(np.asarray(words, dtype=object)) if len(words) else np.array([], dtype="uint64")
    return {
        "kind": "text",
        "missing": int(rows - counts.sum()),
        "different": int((counts > 0).sum()),
        "top": {str(words[place]): int(counts[place]) for place in most_first},
        "sum": f"{int((_mixed(hashes) * counts.astype('uint64')).sum(dtype='uint64')):016x}",
    }


def _sum(bits: Array) -> str:
    return f"{int(_mixed(bits).sum(dtype='uint64')):016x}"


def _mixed(bits: Array) -> Array:
    """Return 64 other bits for each 64, so that sums of near numbers do not meet (the mixer of splitmix64)."""
    mixed = bits * MIX
    mixed ^= mixed >> np.uint64(31)
    mixed *= MIX
    mixed ^= mixed >> np.uint64(29)
    return mixed


def _joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the profile of times or numbers whose rows lie in several parts."""
    least = min((part["least"] for part in parts if part["least"] is not None), default=None)
    most = max((part["most"] for part in parts if part["most"] is not None), default=None)
    total = sum(int(part["sum"], 16) for part in parts) % 2**64
    missing = sum(part["missing"] for part in parts)
    return {"kind": parts[0]["kind"], "missing": missing, "least": least, "most": most, "sum": f"{total:016x}"}
