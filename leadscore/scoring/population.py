"""Who is scored at which instant: the run's window rule laid over today's tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leadscore.config.schema import SnapshotsWindow, WindowConfig
from leadscore.config.score_schema import ScoreConfig
from leadscore.errors import WindowError, examples
from leadscore.tables import CLOSED_LATER, CONVERTED_LATER, TIME_DTYPE
from leadscore.times import format_duration, parse_duration, parse_instant

if TYPE_CHECKING:
    from leadscore.tables import Tables

__all__ = ["Population", "population_of"]

ENDS = {"converted": ("converted_at", CONVERTED_LATER), "closed": ("closed_at", CLOSED_LATER)}


@dataclass(frozen=True)
class Population:
    """The leads to score.

    Attributes
    ----------
    frame : DataFrame (n, 3)
        `user_id`, `as_of` and `lead_row`, by user_id and as_of, RangeIndex.
    as_of : Timestamp
        Of the batch; where each lead has its own by the column, the latest of them.
    since : Timestamp or None
        Leads with points of their own: these lie after it.
    counts : mapping of str to int
        Candidates, those left out by reason, and `scored`.
    notes : tuple of str
    """

    frame: pd.DataFrame
    as_of: pd.Timestamp
    since: pd.Timestamp | None
    counts: Mapping[str, int]
    notes: tuple[str, ...] = ()

    @property
    def days(self) -> float:
        """The days whose leads are in the batch; 0 for one instant."""
        return 0.0 if self.since is None else (self.as_of - self.since) / pd.Timedelta(days=1)


def population_of(
    tables: "Tables", window: WindowConfig, statuses: Mapping[str, str], config: ScoreConfig
) -> Population:
    """Return the leads that the run's window rule scores at the batch's `as_of`.

    Parameters
    ----------
    tables : Tables
    window : WindowConfig
        The run's own. Its `start` and `end` are borders of training, and not of life.
    statuses : mapping of str to str
        What the data's words for a status mean: `open`, `converted` or `closed`.
    config : ScoreConfig

    Raises
    ------
    WindowError
        When `as_of` lies too far after the end of the data, or asks for leads of an age that was never trained on.
    """
    from leadscore.window import own_points

    instant = _instant(config.as_of, tables.data_end)
    if config.as_of == "column" and window.name != "given" and not config.allow_age_shift:
        raise WindowError(
            f"as_of=column scores each lead at whatever instant the lead table says, and the run was trained with "
            f"{_trained(window)}: give an instant, or allow_age_shift=true, which the report records"
        )
    shifted = False
    if config.as_of == "column":
        candidates, since = _given(tables), None
        shifted = window.name != "given"
    elif isinstance(window, SnapshotsWindow) or config.who == "open":
        candidates, since = _all_leads(tables, instant), None
        if not isinstance(window, SnapshotsWindow):
            _allow_age_shift(window, config)
            shifted = True
    else:
        candidates = own_points(tables, window).dropna(subset=["as_of"]).reset_index(drop=True)
        since = instant - pd.Timedelta(parse_duration(config.since))
    _refuse_late(candidates, instant, tables.data_end, config)
    asked = [name for name in ("created_at", "status", *(time for time, _ in ENDS.values())) if name in tables.leads]
    lead = tables.leads[asked].take(candidates["lead_row"].to_numpy()).reset_index(drop=True)
    reasons = _reasons(candidates["as_of"], lead, since, instant if since is not None else None)
    if since is None and isinstance(window, SnapshotsWindow) and not (config.who == "open" and config.allow_age_shift):
        old = candidates["as_of"] - lead["created_at"] >= pd.Timedelta(parse_duration(window.max_age))
        reasons[f"not younger than window.max_age {window.max_age}"] = old
    if config.as_of != "column" and instant >= tables.data_end:
        reasons["decided by their status, without a time"] = _decided(lead, statuses, tables.counts)
    left, counts = np.ones(len(candidates), dtype=bool), {"candidates": len(candidates)}
    for reason, holds in reasons.items():
        mask = np.asarray(holds, dtype=bool)
        counts[reason] = int((left & mask).sum())  # the first reason that holds is the one counted
        left &= ~mask
    frame = _in_order(candidates[left])
    _refuse_doubled(frame)
    counts["scored"] = len(frame)
    at = instant if config.as_of != "column" else (frame["as_of"].max() if len(frame) else tables.data_end)
    notes = (f"leads of any age are scored, and the run was trained with {_trained(window)}",) if shifted else ()
    return Population(frame[["user_id", "as_of", "lead_row"]], at, since, counts, notes)


def _instant(word: str, data_end: pd.Timestamp) -> pd.Timestamp:
    if word == "now":
        return pd.Timestamp(datetime.now(UTC).replace(microsecond=0)).as_unit("us")
    if word in ("data_end", "column"):
        return data_end
    return pd.Timestamp(parse_instant(word)).as_unit("us")


def _trained(window: WindowConfig) -> str:
    how = {"delay": "one observation a lead, {} after its creation", "given": "observations that the lead table gives"}
    return how.get(window.name, "window={}").format(getattr(window, "delay", window.name))


def _allow_age_shift(window: WindowConfig, config: ScoreConfig) -> None:
    if not config.allow_age_shift:
        raise WindowError(
            f"who=open asks for every open lead at {config.as_of}, and the run was trained with {_trained(window)}: a "
            f"lead of another age is one that the model never saw. Train with window=snapshots, leave who=window, or "
            f"allow_age_shift=true, which the report records"
        )


def _given(tables: "Tables") -> pd.DataFrame:
    if "as_of" not in tables.leads:
        raise WindowError("as_of=column needs the lead table to carry as_of: map it in data.leads.columns")
    rows = np.arange(len(tables.leads))
    return pd.DataFrame({"user_id": tables.leads["user_id"], "as_of": tables.leads["as_of"], "lead_row": rows})


def _all_leads(tables: "Tables", instant: pd.Timestamp) -> pd.DataFrame:
    leads = tables.leads
    as_of = pd.Series(instant, index=leads.index).astype(TIME_DTYPE)
    return pd.DataFrame({"user_id": leads["user_id"], "as_of": as_of, "lead_row": np.arange(len(leads))})


def _refuse_late(candidates: pd.DataFrame, instant: pd.Timestamp, data_end: pd.Timestamp, config: ScoreConfig) -> None:
    last = data_end + pd.Timedelta(parse_duration(config.max_staleness))
    at = candidates["as_of"].max() if config.as_of == "column" and len(candidates) else instant
    if at > last:
        behind = format_duration((at - data_end).to_pytimedelta())
        raise WindowError(
            f"as_of {at:%Y-%m-%d %H:%M} UTC lies {behind} after {data_end:%Y-%m-%d %H:%M}, up to which the tables are "
            f"complete: what leads did since then is not known. Load newer tables, score at as_of=data_end, or allow "
            f"more by max_staleness (now {config.max_staleness})"
        )


def _reasons(
    as_of: pd.Series, lead: pd.DataFrame, since: pd.Timestamp | None, until: pd.Timestamp | None
) -> dict[str, Any]:
    from leadscore.window import not_at_risk

    reasons: dict[str, Any] = {}
    if since is not None and until is not None:
        reasons[f"their own point at or before {since:%Y-%m-%d %H:%M}"] = as_of <= since
        reasons[f"their own point after {until:%Y-%m-%d %H:%M}"] = as_of > until
    return reasons | not_at_risk(as_of, lead)


def _decided(lead: pd.DataFrame, statuses: Mapping[str, str], counts: Mapping[str, int]) -> Any:
    """Return the leads whose status is an end that has no time: they are not open, whenever it was.

    Where the edge took such times away because they lie after the end of the data, as in a batch of the past that is
    scored on a later export, the status is of later too and says nothing.
    """
    ended = np.zeros(len(lead), dtype=bool)
    if "status" not in lead:
        return ended
    for state, (time, later) in ENDS.items():
        if counts.get(later):
            continue
        words = [word for word, meant in statuses.items() if meant == state]
        ended |= (lead["status"].isin(words) & (lead[time].isna() if time in lead else True)).to_numpy(dtype=bool)
    return ended


def _in_order(frame: pd.DataFrame) -> pd.DataFrame:
    """Return rows by user_id, by code point, and as_of; millions of ids are never Python objects on the way."""
    import pyarrow as pa
    import pyarrow.compute as pc

    keys = ["user_id", "as_of"]
    table = pa.Table.from_pandas(frame[keys], preserve_index=False)
    rows = pc.sort_indices(table, [(name, "ascending") for name in keys]).to_numpy()
    return frame.take(rows).reset_index(drop=True)


def _refuse_doubled(frame: pd.DataFrame) -> None:
    keys = frame[["user_id", "as_of"]]
    doubled = (keys == keys.shift()).all(axis="columns")  # they are sorted
    if doubled.any():
        shown = examples(frame.loc[doubled, "user_id"].head(3))
        raise WindowError(
            f"{int(doubled.sum()):,} leads would be scored twice at one instant ({shown}): user_id repeats in the lead "
            f"table, so score each row at its own by as_of=column"
        )
