"""What happens to events that are wrong in a known way, of the whole table or of some leads at a time."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leadscore.config.schema import PolicyConfig
from leadscore.data.edge import TypedTable
from leadscore.data.origin import Findings, Origin
from leadscore.data.parts import lay_out, order_by_part
from leadscore.data.reasons import Found, Reason, found_in, repeated_rows_of, say_found, settle
from leadscore.errors import DataError, examples, raise_all
from leadscore.eventlog import EventLog, code_columns, coded, n_parts, places_of, repeated_rows

__all__ = ["Judged", "judge_events", "say_judged", "settle_events"]

MANY_ORPHANS = 0.1  # share of the events that is worth a note


def settle_events(
    events: TypedTable,
    leads: TypedTable,
    kept_leads: pd.DataFrame,
    data_end: pd.Timestamp,
    policy: PolicyConfig,
    findings: Findings,
    folder: Path | None = None,
) -> EventLog:
    """Apply the policy to events: missing ids, repeated, late, orphan and early events, unknown arrivals.

    Parameters
    ----------
    leads : TypedTable
        All leads.
    kept_leads : DataFrame
        From `settle_leads`.
    folder : Path, optional
        Where a log of several parts is written while it is made; it is then mapped from there.

    Returns
    -------
    EventLog
        Events of the kept leads before `data_end`.

    Raises
    ------
    DataError
        With all problems found so far: a log is not laid out in vain.
    """
    judged = judge_events(events, pd.Index(leads.frame["user_id"]), kept_leads, data_end, policy, findings)
    say_judged([judged], events.origin, leads, findings)
    raise_all(DataError, findings.problems)
    return judged.laid_out(folder)


@dataclass(frozen=True)
class Judged:
    """What a policy makes of events, or of those of some leads.

    Attributes
    ----------
    found : list of Found
        A reason each, in the order in which they are asked.
    orphans : Found
        Events of leads that the lead table does not have, whatever the policy says.
    n_rows, n_stay : int
    """

    found: list[Found]
    orphans: Found
    n_rows: int
    n_stay: int
    lay: Callable[..., EventLog] | None = None

    def laid_out(self, folder: Path | None = None) -> EventLog:
        """Return the log of the rows that stay; in a folder, where one is given and it has several parts."""
        assert self.lay is not None
        return self.lay(folder=folder)

    def told(self) -> "Judged":
        """Return it without its rows."""
        return replace(self, lay=None)


def judge_events(
    events: TypedTable,
    lead_ids: pd.Index,
    kept_leads: pd.DataFrame,
    data_end: pd.Timestamp,
    policy: PolicyConfig,
    findings: Findings,
) -> Judged:
    """Find what is wrong with events, or with those of some leads, of whom all events are there.

    Parameters
    ----------
    lead_ids : Index of str
        Of the lead table, or of those leads.
    kept_leads : DataFrame
        `user_id` and `created_at` of the leads that stay.
    findings : Findings
        Gets repeated event ids that differ elsewhere.
    """
    frame = events.frame
    lead, user_ids = coded(frame["user_id"])
    columns, words = code_columns(frame.drop(columns="user_id"))
    orders = order_by_part(lead, user_ids, columns, n_parts(len(frame)))
    kept = kept_leads[["user_id", "created_at"]]
    if not kept["user_id"].is_unique:
        kept = kept.groupby("user_id", as_index=False).min()
    kept_lead = places_of(user_ids, kept["user_id"])
    stranger = kept_lead < 0
    unknown = orphan = np.append(stranger, True)[lead]
    if stranger.any():
        stranger &= places_of(user_ids, lead_ids) < 0
        orphan = unknown & np.append(stranger, True)[lead]
    created = np.append(kept["created_at"].array.asi8, np.iinfo("int64").min)[np.append(kept_lead, -1)]
    early = columns["timestamp"] < created[lead]
    reasons = [
        *(
            Reason(f"without {name}", frame[name].isna(), policy.null_ids, "null_ids")
            for name in ("user_id", "event_id")
            if name in frame
        ),
        _repeated_events(events, orders, lead, columns, policy, findings),
        Reason("at or after data_end", frame["timestamp"] >= data_end, policy.late_events, "late_events"),
        Reason("of unknown leads", orphan, policy.orphan_events, "orphan_events"),
        Reason("of leads created at or after data_end", unknown),
        Reason("before their lead was created", early, policy.early_events, "early_events"),
    ]
    if "ingested_at" in frame:
        unknown_arrival = frame["ingested_at"].isna().to_numpy()
        reasons.append(
            Reason("without ingested_at", unknown_arrival, policy.missing_ingested_at, "missing_ingested_at")
        )
        columns["ingested_at"] = np.where(unknown_arrival, columns["timestamp"], columns["ingested_at"])
    orphans = found_in(frame, Reason("of unknown leads", orphan), np.asarray(orphan))
    stays, found = settle(frame, reasons)
    lay = partial(lay_out, [order for order, _ in orders], stays, lead, user_ids, columns, words)
    return Judged(found, orphans, len(frame), int(stays.sum()), lay)


def say_judged(pieces: Sequence[Judged], origin: Origin, leads: TypedTable, findings: Findings) -> None:
    """Put into words what was found in all pieces of the event table."""
    orphans = pieces[0].orphans.joined([each.orphans for each in pieces[1:]])
    _say_orphans(orphans, origin, leads, findings)
    for number, found in enumerate(pieces[0].found):
        say_found([found.joined([each.found[number] for each in pieces[1:]])], origin, "event", findings)
    findings.count("events", sum(each.n_stay for each in pieces))


def _repeated_events(
    events: TypedTable, orders: Sequence[Any], lead: Any, columns: Any, policy: PolicyConfig, findings: Findings
) -> "Reason":
    if "event_id" in events.frame:
        # Without an id two equal rows may be two events; with one they are the same event.
        repeated = "drop_exact" if policy.duplicate_events == "keep" else policy.duplicate_events
        rows = repeated_rows_of(events, ["event_id"], findings)
        return Reason("repeated exactly", rows, repeated, "duplicate_events")
    mask = np.zeros(len(lead), dtype=bool)
    for order, again in orders:
        mask[repeated_rows(order, again, columns)] = True
    return Reason("repeated exactly", mask & (lead >= 0), policy.duplicate_events, "duplicate_events")


def _say_orphans(orphans: Found, origin: Origin, leads: TypedTable, findings: Findings) -> None:
    """Say when many events belong to no lead: ids that are spelled in two ways look like this."""
    n, n_rows = orphans.n, origin.n_rows
    if not n or n < MANY_ORPHANS * n_rows:
        return
    said = (
        f"{n:,} of {n_rows:,} events belong to no lead of the lead table (ids such as "
        f"{examples([user_id for _, user_id in orphans.ids], 2)}; the leads' are such as "
        f"{examples(leads.frame['user_id'].dropna().iloc[:2])})"
    )
    if n == n_rows and n >= 10:  # of a handful, all may be strangers by chance
        findings.problems.append(f"{origin.label}: {said}")
    else:
        findings.note(f"{origin.label}: {said}.")
