"""What happens to rows that are wrong in a known way: `data.policy` decides, and every one is counted."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from leadscore.config.schema import PolicyConfig
from leadscore.data.edge import TypedTable
from leadscore.data.origin import Findings, plural
from leadscore.data.reasons import Reason, repeated_rows_of, say_found, settle
from leadscore.errors import DataError
from leadscore.eventlog import places_of
from leadscore.tables import CLOSED_LATER, CONVERTED_LATER

__all__ = ["complete_until", "ends_of_events", "settle_leads"]

LEAD_TIMES, EVENT_TIMES = ("created_at", "converted_at", "closed_at", "as_of"), ("timestamp", "ingested_at")
APART = pd.Timedelta(days=7)  # two tables exported together end nearer to each other, however little happens


def complete_until(
    leads: TypedTable, event_ends: Mapping[str, pd.Timestamp], stated: pd.Timestamp | None, findings: Findings
) -> pd.Timestamp:
    """Return the instant, exclusive, up to which the tables are complete.

    The one stated, else just after the latest time in rows that have their ids and a lead of the table. Where
    the leads end in July and the log in September, nothing says who converted in August: ends more than a week
    apart are said in a note, with both instants. `as_of` says when a score is wanted, not what has happened, and counts
    only in rows whose outcome stands in the table beside it.

    Parameters
    ----------
    leads : TypedTable
    event_ends : mapping of str to Timestamp
        From `ends_of_events`; empty where there are no events.
    stated : Timestamp or None
        `data.data_end`.
    findings : Findings

    Raises
    ------
    DataError
        When no lead has an id.
    """
    ends = {**_ends(leads), **event_ends}
    latest, apart = max(ends.values()), max(ends.values()) - min(ends.values())
    if stated is None:
        if apart > APART:
            found = ", ".join(f"{name} at {_short(end)}" for name, end in ends.items())
            findings.note(
                f"The tables end {apart.days} days apart ({found}): if one was exported earlier, what came after it "
                f"is unknown and looks like no conversion; state data.data_end, up to which both are complete."
            )
        findings.note(
            f"data.data_end is not stated: the tables count as complete up to the latest time in them, "
            f"{_short(latest)}."
        )
        return latest + pd.Timedelta(microseconds=1)
    gap = stated - latest
    if gap > pd.Timedelta(days=1):
        findings.note(
            f"data.data_end {_short(stated)} is {gap.days} days after the latest time in the tables, {_short(latest)}: "
            f"nothing counts as having happened between them."
        )
    return stated


def _ends(leads: TypedTable) -> dict[str, pd.Timestamp]:
    """Return the latest time of the lead table, by its name in messages, in rows that can stay."""
    frame = leads.frame[leads.frame["user_id"].notna()]
    if frame.empty:
        raise DataError(f"{leads.origin.label}: none of its {plural(len(leads.frame), 'lead')} has a user_id")
    if "as_of" in frame:
        frame = frame.assign(as_of=frame["as_of"].where(_outcome_stands(frame)))
    end = frame[[name for name in LEAD_TIMES if name in frame]].max().max()
    return {} if pd.isna(end) else {f"leads ({leads.origin.label})": end}


def ends_of_events(events: pd.DataFrame, lead_ids: pd.Index, label: str) -> dict[str, pd.Timestamp]:
    """Return the latest time of events, or of a piece of them, by the table's name in messages, in rows that can stay.

    Parameters
    ----------
    events : DataFrame (n_events, ...)
    lead_ids : Index of str
        Those of the lead table.
    label : str
    """
    ids = events["user_id"].array
    known = places_of(ids.categories, lead_ids.dropna()) >= 0
    stays = np.append(known, False)[ids.codes]
    if "event_id" in events:
        stays &= events["event_id"].notna().to_numpy()
    log = events[[name for name in EVENT_TIMES if name in events]]
    end = (log if stays.all() else log[stays]).max().max()
    return {} if pd.isna(end) else {f"events ({label})": end}


def _outcome_stands(frame: pd.DataFrame) -> Any:
    """Return which leads carry their outcome: a label, or a status that no conversion time goes with."""
    if "label" in frame:
        return frame["label"].notna()
    return np.full(len(frame), "status" in frame and "converted_at" not in frame)


def settle_leads(leads: TypedTable, data_end: pd.Timestamp, policy: PolicyConfig, findings: Findings) -> pd.DataFrame:
    """Apply the policy to leads: missing ids, repeated leads, and what lies at or after `data_end`.

    Returns
    -------
    DataFrame
        Leads created before `data_end`, RangeIndex. A conversion or closing at or after it is not known yet (NaT).
    """
    frame = leads.frame
    keys = ["user_id", "as_of"] if "as_of" in frame else ["user_id"]
    reasons = [
        Reason("without user_id", frame["user_id"].isna(), policy.null_ids, "null_ids"),
        Reason("repeated exactly", repeated_rows_of(leads, keys, findings), policy.duplicate_leads, "duplicate_leads"),
        Reason("created at or after data_end", frame["created_at"] >= data_end),
    ]
    stays, found = settle(leads.frame, reasons)
    say_found(found, leads.origin, leads.noun, findings)
    kept = frame[stays].reset_index(drop=True)
    for name, words in (("converted_at", CONVERTED_LATER), ("closed_at", CLOSED_LATER)):
        if name in kept:
            later = kept[name] >= data_end
            findings.count(words, int(later.sum()))
            kept[name] = kept[name].mask(later)
    findings.count("leads", len(kept))
    return kept


def _short(time: pd.Timestamp) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}Z"
