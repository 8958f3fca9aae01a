"""What happens to rows that are wrong in a known way: `data.policy` decides, and every one is counted."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from leadscore.config.schema import PolicyConfig
from leadscore.data.edge import IDS, TypedTable
from leadscore.data.origin import Findings, plural
from leadscore.data.parts import lay_out, order_by_part
from leadscore.errors import DataError, examples, raise_all
from leadscore.eventlog import EventLog, code_columns, coded, n_parts, places_of, repeated_rows
from leadscore.tables import CONVERTED_LATER

__all__ = ["complete_until", "settle_events", "settle_leads"]

MANY_ORPHANS = 0.1  # share of the events that is worth a note
CLOSED_LATER = "closings at or after data_end, not yet known"
LEAD_TIMES, EVENT_TIMES = ("created_at", "converted_at", "closed_at", "as_of"), ("timestamp", "ingested_at")
APART = pd.Timedelta(days=7)  # two tables exported together end nearer to each other, however little happens


def complete_until(
    leads: TypedTable, events: TypedTable | None, stated: pd.Timestamp | None, findings: Findings
) -> pd.Timestamp:
    """Return the instant, exclusive, up to which the tables are complete.

    The one stated, else just after the latest time in rows that have their ids and a lead of the table. Where
    the leads end in July and the log in September, nothing says who converted in August: ends more than a week
    apart are said in a note, with both instants. `as_of` says when a score is wanted, not what has happened, and counts
    only in rows whose outcome stands in the table beside it.

    Raises
    ------
    DataError
        When no lead has an id.
    """
    ends = _ends(leads, events)
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


def _ends(leads: TypedTable, events: TypedTable | None) -> dict[str, pd.Timestamp]:
    """Return the latest time of each table, by its name in messages, in rows that can stay."""
    frame = leads.frame[leads.frame["user_id"].notna()]
    if frame.empty:
        raise DataError(f"{leads.origin.label}: none of its {plural(len(leads.frame), 'lead')} has a user_id")
    if "as_of" in frame:
        frame = frame.assign(as_of=frame["as_of"].where(_outcome_stands(frame)))
    ends = {f"leads ({leads.origin.label})": frame[[name for name in LEAD_TIMES if name in frame]].max().max()}
    if events is not None:
        ids = events.frame["user_id"].array
        known = places_of(ids.categories, frame["user_id"]) >= 0
        stays = np.append(known, False)[ids.codes]
        if "event_id" in events.frame:
            stays &= events.frame["event_id"].notna().to_numpy()
        log = events.frame[[name for name in EVENT_TIMES if name in events.frame]]
        ends[f"events ({events.origin.label})"] = (log if stays.all() else log[stays]).max().max()
    return {table: end for table, end in ends.items() if not pd.isna(end)}


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
        Reason("repeated exactly", _repeated(leads, keys, findings), policy.duplicate_leads, "duplicate_leads"),
        Reason("created at or after data_end", frame["created_at"] >= data_end),
    ]
    kept = frame[_settle(leads, reasons, findings)].reset_index(drop=True)
    for name, words in (("converted_at", CONVERTED_LATER), ("closed_at", CLOSED_LATER)):
        if name in kept:
            later = kept[name] >= data_end
            findings.count(words, int(later.sum()))
            kept[name] = kept[name].mask(later)
    findings.count("leads", len(kept))
    return kept


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
        stranger &= places_of(user_ids, leads.frame["user_id"]) < 0
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
    _say_orphans(events, leads, orphan, findings)
    stays = _settle(events, reasons, findings)
    findings.count("events", int(stays.sum()))
    raise_all(DataError, findings.problems)
    return lay_out([order for order, _ in orders], stays, lead, user_ids, columns, words, folder)


def _repeated_events(
    events: TypedTable, orders: Sequence[Any], lead: Any, columns: Any, policy: PolicyConfig, findings: Findings
) -> "Reason":
    if "event_id" in events.frame:
        # Without an id two equal rows may be two events; with one they are the same event.
        repeated = "drop_exact" if policy.duplicate_events == "keep" else policy.duplicate_events
        return Reason("repeated exactly", _repeated(events, ["event_id"], findings), repeated, "duplicate_events")
    mask = np.zeros(len(lead), dtype=bool)
    for order, again in orders:
        mask[repeated_rows(order, again, columns)] = True
    return Reason("repeated exactly", mask & (lead >= 0), policy.duplicate_events, "duplicate_events")


def _say_orphans(events: TypedTable, leads: TypedTable, orphan: Any, findings: Findings) -> None:
    """Say when many events belong to no lead: ids that are spelled in two ways look like this."""
    n = int(np.asarray(orphan).sum())
    if not n or n < MANY_ORPHANS * len(events.frame):
        return
    strangers = events.frame.loc[np.asarray(orphan), "user_id"].unique()
    said = (
        f"{n:,} of {len(events.frame):,} events belong to no lead of the lead table (ids such as "
        f"{examples(strangers, 2)}; the leads' are such as {examples(leads.frame['user_id'].dropna().iloc[:2])})"
    )
    if n == len(events.frame) and n >= 10:  # of a handful, all may be strangers by chance
        findings.problems.append(f"{events.origin.label}: {said}")
    else:
        findings.note(f"{events.origin.label}: {said}.")


@dataclass(frozen=True)
class Reason:
    """Why rows are wrong, which they are, and which policy says what becomes of them."""

    words: str
    mask: Any
    policy: str = "drop"
    key: str = ""


def _settle(table: TypedTable, reasons: Sequence[Reason], findings: Findings) -> Any:
    """Return which rows stay; a row counts for the first reason that drops it."""
    stays = np.ones(len(table.frame), dtype=bool)
    for reason in reasons:
        found = stays & np.asarray(reason.mask, dtype=bool)
        n = int(found.sum())
        if n and reason.policy == "error":
            findings.problems.append(
                f"{table.origin.label}: {plural(n, table.noun)} {reason.words} ({_examples(table, found)}); "
                f"data.policy.{reason.key} decides"
            )
        elif n and reason.policy.startswith("drop"):
            findings.count(f"{table.noun}s {reason.words} dropped", n)
            stays &= ~found
        else:
            findings.count(f"{table.noun}s {reason.words} kept", n)
    return stays


def _examples(table: TypedTable, mask: Any) -> str:
    positions = np.flatnonzero(mask)
    ids = table.frame["user_id"].iloc[positions].dropna().unique()
    return table.origin.rows(positions) + (f", user_id {examples(ids)}" if len(ids) else "")


def _repeated(table: TypedTable, keys: Sequence[str], findings: Findings) -> Any:
    """Return which rows repeat an earlier one exactly; rows that repeat its keys and differ are always a problem."""
    frame = table.frame
    has_id = frame[[name for name in keys if name in IDS]].notna().all(axis="columns")
    suspects = frame[frame.duplicated(keys, keep=False) & has_id]
    repeats = suspects.duplicated()
    rest = suspects[~repeats]
    differ = rest[rest.duplicated(keys, keep=False)]
    if len(differ):
        shown = differ[list(keys)].drop_duplicates()
        found = examples(" ".join(str(value) for value in row) for row in shown.itertuples(index=False))
        findings.problems.append(
            f"{table.origin.label}: {plural(len(shown), ' and '.join(keys))} in several rows that differ "
            f"elsewhere ({found}; {table.origin.rows(differ.index)}); no policy chooses among them"
        )
    return repeats.reindex(frame.index, fill_value=False)


def _short(time: pd.Timestamp) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}Z"
