"""The tables that every room after loading receives: typed, in UTC, ids as text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CONVERTED_LATER", "TIME_DTYPE", "Tables"]

TIME_DTYPE = "datetime64[us, UTC]"
CONVERTED_LATER = "conversions at or after data_end, not yet known"  # a count: their time is NaT, their status stays


@dataclass(frozen=True)
class Tables:
    """Leads and their events, as they are after the edge.

    Attributes
    ----------
    leads : DataFrame
        One row a lead (several only where the window is `given`), RangeIndex. Columns: `user_id` (str),
        `created_at` (datetime64[us, UTC]), and where the data has them `status` (str, the data's own
        words), `converted_at`, `closed_at`, `as_of` (datetime64[us, UTC], NaT where absent), `label`
        (str, the data's own words), then the columns of `attributes` (float64 for a number, str for a
        category; NaN where missing). Nothing else.
    events : DataFrame or None
        Many rows a lead, RangeIndex, by (user_id, timestamp, event_type, the other columns in the order of
        their names): events of one instant are ordered by content, never by their place in a file. Columns:
        `user_id`, `timestamp`, `event_type`, and where the data has them `ingested_at` (never missing),
        `amount` (float64, in the data's one currency) and any other column mapped (float64 for one of
        `data.events.numbers`, else str).
    data_end : Timestamp
        The tables are complete up to here, exclusive.
    attributes : mapping of str to str
        The lead columns that features may read: name to `number` or `category`.
    counts : mapping of str to int
        Rows in and out of the loading room, by table and reason.
    notes : tuple of str
        What was assumed or noticed, one sentence each.
    truth : callable or None
        Only the simulator knows it: `truth(user_id, as_of, horizon)` returns each observation's true
        probability of converting in `[as_of, as_of + horizon)`. Never handed to a feature or a model.
    """

    leads: Any
    events: Any
    data_end: Any
    attributes: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    truth: Callable[[Any, Any, Any], Any] | None = None
