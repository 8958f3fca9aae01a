"""What each declared aggregate means, said twice more: with plain numpy over one window, and with Python alone.

Slow and short. The compiled walk is held to both.
"""

import itertools
import math
import statistics

import numpy as np
import pandas as pd

from leadscore.times import parse_duration

DAY = pd.Timedelta(days=1)


def visible(events, user_id, as_of):
    """A lead's events that were known at `as_of`."""
    known = (events["user_id"] == user_id) & (events["timestamp"] < as_of)
    if "ingested_at" in events:
        known &= events["ingested_at"] <= as_of
    return events[known]


def picked(rows, spec, zone="UTC"):
    if spec.get("event_type"):
        types = spec["event_type"] if isinstance(spec["event_type"], list) else [spec["event_type"]]
        rows = rows[rows["event_type"].isin(types)]
    for column, values in spec.get("where", {}).items():
        rows = rows[rows[column].isin([float(each) for each in values] if rows[column].dtype == "float64" else values)]
    if "when" in spec:
        local = rows["timestamp"].dt.tz_convert(spec.get("zone", zone))
        hour = local.dt.hour
        rows = rows[(local.dt.day_of_week >= 5) if spec["when"] == "weekend" else (hour >= 22) | (hour < 6)]
    return rows


def since(rows, as_of, lookback):
    return rows if lookback is None else rows[rows["timestamp"] >= as_of - pd.Timedelta(parse_duration(lookback))]


def by_numpy(rows, spec, as_of):
    """One aggregate over the rows of one lead that were known at `as_of`."""
    if spec["aggregate"] == "ratio":
        above, below = (by_numpy(rows, spec[part], as_of) for part in ("numerator", "denominator"))
        return above / below if below else np.nan
    rows = since(picked(rows, spec), as_of, spec.get("lookback"))
    times = rows["timestamp"].to_numpy(dtype="datetime64[us]").astype("int64")
    now, n = as_of.value // 1000, len(rows)  # Timestamp.value is nanoseconds, whatever the unit
    values = rows[spec["column"]].to_numpy() if "column" in spec else np.array([])
    numbers = values[~np.isnan(values)] if values.dtype == "float64" else values
    return {
        "count": lambda: n,
        "sum": lambda: math.fsum(numbers),
        "mean": lambda: np.mean(numbers) if len(numbers) else np.nan,
        "min": lambda: np.min(numbers) if len(numbers) else np.nan,
        "max": lambda: np.max(numbers) if len(numbers) else np.nan,
        "std": lambda: np.std(numbers, ddof=1) if len(numbers) > 1 else np.nan,
        "distinct": lambda: len(set(pd.Series(values).dropna())),
        "first": lambda: values[0] if n else np.nan,
        "last": lambda: values[-1] if n else np.nan,
        "days_since_first": lambda: (now - times[0]) / 86_400e6 if n else np.nan,
        "days_since_last": lambda: (now - times[-1]) / 86_400e6 if n else np.nan,
        "active_days": lambda: len(set((now - times) // 86_400_000_000)),
        "mean_gap": lambda: np.mean(np.diff(times)) / 86_400e6 if n > 1 else np.nan,
        "share": lambda: len(picked(rows, spec["of"])) / n if n else np.nan,
        "trend": lambda: trend(rows, spec, as_of),
    }[spec["aggregate"]]()


def trend(rows, spec, as_of):
    recent = since(rows, as_of, spec["recent"])
    days = [parse_duration(spec[key]).total_seconds() / 86_400 for key in ("recent", "lookback")]
    column = spec.get("column")
    late, both = (math.fsum(some[column].dropna()) if column else len(some) for some in (recent, rows))
    return late / days[0] - (both - late) / (days[1] - days[0])


def by_loop(rows, spec, as_of):
    """The same without numpy, for the aggregates whose meaning fits a line."""
    events = [
        row
        for row in since(rows, as_of, spec.get("lookback")).to_dict("records")
        if "event_type" not in spec or row["event_type"] == spec["event_type"]
    ]
    kind, column = spec["aggregate"], spec.get("column")
    numbers = [row[column] for row in events if column and row[column] == row[column]]
    gaps = [(later["timestamp"] - row["timestamp"]) / DAY for row, later in itertools.pairwise(events)]
    return {
        "count": lambda: len(events),
        "sum": lambda: sum(numbers),
        "mean": lambda: statistics.fmean(numbers) if numbers else math.nan,
        "min": lambda: min(numbers, default=math.nan),
        "max": lambda: max(numbers, default=math.nan),
        "std": lambda: statistics.stdev(numbers) if len(numbers) > 1 else math.nan,
        "distinct": lambda: len(set(numbers)),
        "days_since_first": lambda: (as_of - events[0]["timestamp"]) / DAY if events else math.nan,
        "days_since_last": lambda: (as_of - events[-1]["timestamp"]) / DAY if events else math.nan,
        "active_days": lambda: len({(as_of - row["timestamp"]) // DAY for row in events}),
        "mean_gap": lambda: statistics.fmean(gaps) if gaps else math.nan,
    }[kind]()
