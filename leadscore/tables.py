"""The tables that every room after loading receives: typed, in UTC, ids as text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leadscore.eventlog import EventLog

__all__ = ["CLOSED_LATER", "CONVERTED_LATER", "TIME_DTYPE", "Tables"]

TIME_DTYPE = "datetime64[us, UTC]"
# Counts: their time is NaT, their status stays.
CONVERTED_LATER = "conversions at or after data_end, not yet known"
CLOSED_LATER = "closings at or after data_end, not yet known"


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
    log : EventLog or None
        Many events a lead, coded and ordered. Columns: `timestamp`, `event_type`, and where the data has them
        `ingested_at` (never missing), `amount` (in the data's one currency) and any other column mapped (a number
        when it is one of `data.events.numbers`, else text).
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
    log: "EventLog | None"
    data_end: Any
    attributes: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    truth: Callable[[Any, Any, Any], Any] | None = None

    @cached_property
    def events(self) -> Any:
        """The log as a frame for people (`EventLog.to_frame`); None when there is none. Rooms read `log`."""
        return None if self.log is None else self.log.to_frame()

    @cached_property
    def lead_codes(self) -> Any:
        """Each row of `leads` as the code of its lead in `log`, -1 for a lead without events (int64, n_rows)."""
        assert self.log is not None
        return self.log.codes_of(self.lead_ids)

    @cached_property
    def lead_ids(self) -> Any:
        """The ids of `leads` as an Index, in the order of its rows."""
        import pandas as pd

        return pd.Index(self.leads["user_id"])

    @cached_property
    def repeats_leads(self) -> bool:
        """Whether a lead has several rows."""
        return not self.leads["user_id"].is_unique  # of the column: an index would keep its ids as Python objects
