"""Observations laid against the log: whose events each one sees, and the order in which a walk meets them."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from leadscore.eventlog import EventLog, LogPart, group_rows
from leadscore.tables import Tables

__all__ = ["Observed"]

Array = np.ndarray[Any, Any]
WEEK = 7 * 86_400_000_000  # microseconds


@dataclass(frozen=True)
class Observed:
    """Observations as integers.

    Attributes
    ----------
    tables : Tables
    as_of : array of int64 (n_observations,)
        Microseconds since 1970, UTC.
    lead_row : array of int64 (n_observations,)
        The position of the lead's row in `tables.leads`.
    lead : array of int64 (n_observations,)
        The lead's code in the log, -1 for one without events.
    """

    tables: Tables
    as_of: Array
    lead_row: Array
    lead: Array

    @classmethod
    def of(cls, tables: Tables, observations: pd.DataFrame) -> "Observed":
        """Take observations with `user_id`, `as_of` (datetime64[us, UTC]) and `lead_row`."""
        rows = observations["lead_row"].to_numpy()
        as_of = observations["as_of"].astype("int64").to_numpy()
        no_log = tables.log is None
        lead = np.full(len(rows), -1) if no_log else tables.lead_codes[rows].astype("int64")
        return cls(tables, as_of, rows, lead)

    def __len__(self) -> int:
        return len(self.as_of)

    @property
    def log(self) -> EventLog:
        """The log; a feature of events is refused where there is none."""
        assert self.tables.log is not None
        return self.tables.log

    @cached_property
    def _by_lead(self) -> tuple[Array, Array]:
        # Leads without events form one group more, the first; observations of one lead are put in the order of as_of.
        ascending = (self.as_of[1:] >= self.as_of[:-1]).all()
        by_time = None if ascending else np.argsort(self.as_of, kind="stable")
        groups = (self.lead if by_time is None else self.lead[by_time]) + 1
        rows, offsets = group_rows(groups, len(self.tables.log.user_ids) + 1 if self.tables.log else 1)
        return (rows if by_time is None else by_time[rows]), offsets

    @cached_property
    def n_instants(self) -> int:
        """How many different `as_of` there are."""
        return len(pd.unique(self.as_of))

    @cached_property
    def n_times_of_week(self) -> int:
        """At how many different times of the week leads are observed."""
        return len(pd.unique(self.as_of % WEEK))

    @cached_property
    def turn(self) -> Array:
        """Whether an observation is its lead's first (0), second (1), ... (n_observations,)."""
        ids = self.tables.lead_ids
        person = pd.factorize(ids)[0][self.lead_row] if self.tables.repeats_leads else self.lead_row
        rows, offsets = group_rows(person, len(ids))
        turn = np.empty(len(self), dtype="int64")
        turn[rows] = np.arange(len(self)) - np.repeat(offsets[:-1], np.diff(offsets))
        return turn

    @property
    def order(self) -> Array:
        """The observations by (lead, as_of), those without events first (n_observations,)."""
        return self._by_lead[0]

    def asked(self, part: LogPart) -> Array:
        """Return where the observations of each lead of a part begin in `order` (n_leads + 1,)."""
        return self._by_lead[1][part.first_lead + 1 : part.first_lead + part.n_leads + 2]
