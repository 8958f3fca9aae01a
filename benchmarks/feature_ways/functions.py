"""The ten features as people write them in pandas: a function of rows that were cut before, and `now`.

They know nothing of leadscore. The article's way cuts the rows and calls them; leadscore's way declares in `DECLARED`
what is to be cut, and calls the same functions. A function of leadscore gives one column, so the tenth, events by type,
is eight there.
"""

from collections.abc import Callable
from typing import Any

import pandas as pd

from feature_ways import TYPES

__all__ = ["DECLARED", "events_by_type"]

DAY = pd.Timedelta(days=1)


def events_7d(rows: Any, now: Any) -> Any:
    """Events in the week before the score."""
    return rows.groupby("user_id").size()


def events_30d(rows: Any, now: Any) -> Any:
    """Events in the 30 days before the score."""
    return rows.groupby("user_id").size()


def days_since_login(rows: Any, now: Any) -> Any:
    """Days since the last login."""
    return (now - rows.groupby("user_id")["timestamp"].max()) / DAY


def types_30d(rows: Any, now: Any) -> Any:
    """Different types of events in the 30 days before the score."""
    return rows.groupby("user_id")["event_type"].nunique()


def active_days_30d(rows: Any, now: Any) -> Any:
    """Days, of 24 hours counted back from the score, with an event."""
    return ((now - rows["timestamp"]) // DAY).groupby(rows["user_id"]).nunique()


def amount_90d(rows: Any, now: Any) -> Any:
    """Sum of amounts in the 90 days before the score."""
    return rows.groupby("user_id")["amount"].sum()


def mean_gap(rows: Any, now: Any) -> Any:
    """Mean days between neighbouring events."""
    rows = rows.sort_values(["user_id", "timestamp"])
    gaps = rows.groupby("user_id")["timestamp"].diff() / DAY
    return gaps.groupby(rows["user_id"]).mean()


def weekend_share(rows: Any, now: Any) -> Any:
    """Share of events on Saturdays and Sundays."""
    return (rows["timestamp"].dt.day_of_week >= 5).groupby(rows["user_id"]).mean()


def paid_30d(rows: Any, now: Any) -> Any:
    """Sum of invoices in the 30 days before the score."""
    return rows.groupby("user_id")["amount"].sum()


def events_by_type(rows: Any, now: Any) -> Any:
    """Events of each type before the score."""
    counts = rows.groupby(["user_id", "event_type"]).size().unstack(fill_value=0)  # noqa: PD010 - as people write it
    return counts.reindex(columns=list(TYPES), fill_value=0).add_prefix("n_")


def _count(kind: str) -> Callable[[Any, Any], Any]:
    def count(rows: Any, now: Any) -> Any:
        """Events of one type before the score."""
        return rows.groupby("user_id").size()

    count.__name__ = count.__qualname__ = f"n_{kind}"
    return count


COUNT = {"source": "events", "no_events": 0, "unit": "events"}
DECLARED: list[tuple[Callable[[Any, Any], Any], dict[str, Any]]] = [
    (events_7d, {**COUNT, "lookback": "7d"}),
    (events_30d, {**COUNT, "lookback": "30d"}),
    (days_since_login, {"source": "events", "event_type": "login", "missing": "has never logged in", "unit": "days"}),
    (types_30d, {**COUNT, "lookback": "30d"}),
    (active_days_30d, {**COUNT, "lookback": "30d"}),
    (amount_90d, {**COUNT, "columns": ["amount"], "lookback": "90d"}),
    (mean_gap, {"source": "events", "missing": "fewer than two events", "unit": "days"}),
    (weekend_share, {"source": "events", "missing": "no events", "unit": "share", "calendar": True}),
    (paid_30d, {**COUNT, "columns": ["amount"], "event_type": "invoice", "lookback": "30d"}),
    *((_count(kind), {**COUNT, "event_type": kind}) for kind in TYPES),
]
