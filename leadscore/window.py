"""The window room: who is observed when, and what came of it.

An observation is a pair (lead, `as_of`). Every candidate pair is either an observation with a label or excluded
for one counted reason; nothing immature is ever labelled 0.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from leadscore.config.schema import DelayWindow, SnapshotsWindow, WindowConfig
from leadscore.errors import WindowError, examples
from leadscore.tables import Tables
from leadscore.times import parse_duration, parse_instant

__all__ = ["IMMATURE", "Observations", "label_points", "left_out", "not_at_risk", "observe", "own_points"]


MOST_SNAPSHOTS = 10_000
IMMATURE = "immature (as_of + horizon after data_end)"


@dataclass(frozen=True)
class Observations:
    """The observations of a run, and what became of every other candidate.

    Attributes
    ----------
    frame : DataFrame (n_observations, 4)
        `user_id` (str), `as_of` (datetime64[us, UTC]), `label` (int8, 0 or 1) and `lead_row` (int64, the
        position of the lead's row in the lead table), ordered by (as_of, user_id), RangeIndex.
    horizon : timedelta
        The outcome is conversion in `[as_of, as_of + horizon)`.
    counts : mapping of str to int
        `candidates`, each reason for exclusion, `observations`; the reasons and the observations add up
        to the candidates.
    """

    frame: pd.DataFrame
    horizon: pd.Timedelta
    counts: Mapping[str, int]


def observe(
    tables: Tables, window: WindowConfig, statuses: Mapping[str, str], labels: Mapping[str, int]
) -> Observations:
    """Make the window's observation points and label them.

    Parameters
    ----------
    tables : Tables
    window : WindowConfig
    statuses : mapping of str to str
        `data.statuses`, the data's own words to `open`, `converted` or `closed`.
    labels : mapping of str to int
        `data.labels`, the data's own words to 0 or 1.

    Raises
    ------
    WindowError
        When the tables lack what the window needs, or no observation is left.

    Examples
    --------
    Three leads that are observed a week after their creation. The first converts on day 20, the second
    converted before it could be observed, the third is too young for its outcome.

    >>> from leadscore.config.schema import DelayWindow
    >>> time = lambda text: pd.to_datetime(pd.Series(text), utc=True).dt.as_unit("us")
    >>> leads = pd.DataFrame({"user_id": ["a", "b", "c"],
    ...     "created_at": time(["2024-03-01", "2024-03-02", "2024-04-20"]),
    ...     "converted_at": time(["2024-03-21", "2024-03-04", None])})
    >>> tables = Tables(leads, None, pd.Timestamp("2024-05-01", tz="UTC"))
    >>> seen = observe(tables, DelayWindow(delay="7d", horizon="30d"), {}, {})
    >>> seen.frame[["user_id", "label"]].values.tolist()
    [['a', 1]]
    >>> {reason: n for reason, n in seen.counts.items() if n}
    {'candidates': 3, 'converted before as_of': 1, 'immature (as_of + horizon after data_end)': 1, 'observations': 1}
    """
    horizon = pd.Timedelta(parse_duration(window.horizon))
    candidates = own_points(tables, window)
    label, reasons = label_points(tables, candidates, window, statuses, labels)
    counts = {"candidates": len(candidates)}
    left = np.ones(len(candidates), dtype=bool)
    for reason, holds in reasons.items():
        counts[reason] = int((left & holds).sum())  # the first reason that holds is the one counted
        left &= ~holds
    counts["observations"] = int(left.sum())
    if not left.any():
        raise WindowError(
            f"no observation is left: {left_out(counts)}; window={window.name} with horizon {window.horizon} decides, "
            f"the data end at {tables.data_end:%Y-%m-%d %H:%M} UTC"
        )
    frame = candidates[left].assign(label=label[left].astype("int8"))
    frame = frame.sort_values(["as_of", "user_id"], kind="stable", ignore_index=True)
    _refuse_doubled(frame, window)
    return Observations(frame[["user_id", "as_of", "label", "lead_row"]], horizon, counts)


def label_points(
    tables: Tables, points: pd.DataFrame, window: WindowConfig, statuses: Mapping[str, str], labels: Mapping[str, int]
) -> tuple[pd.Series, dict[str, np.ndarray]]:
    """Return what came of each point by the window's rule, and why points are no observations.

    Parameters
    ----------
    tables : Tables
    points : DataFrame (n, ...)
        `as_of` and `lead_row`, RangeIndex.
    window, statuses, labels
        As for `observe`.

    Returns
    -------
    label : Series of float64 (n,)
        0, 1, or NaN where the table does not say; it counts only where no reason holds.
    reasons : dict of str to bool array (n,)
        In the order in which they count.
    """
    horizon = pd.Timedelta(parse_duration(window.horizon))
    lead = tables.leads.iloc[points["lead_row"].to_numpy()].reset_index(drop=True)
    label = _labeller(tables, horizon, window, statuses, labels)(lead, points["as_of"])
    return label, _reasons(points["as_of"], lead, label, horizon, window, tables.data_end)


def _refuse_doubled(frame: pd.DataFrame, window: WindowConfig) -> None:
    """Refuse a lead that is observed twice at one instant: two rows of it, or two instants that `floor` makes one."""
    doubled = frame.duplicated(["as_of", "user_id"])
    if doubled.any():
        rows = frame.loc[doubled, ["user_id", "as_of"]].head(3).itertuples(index=False)
        shown = examples(f"{user_id} {as_of:%Y-%m-%d %H:%M}" for user_id, as_of in rows)
        floor = getattr(window, "floor", None)
        why = f"window.floor={floor} makes one instant of several" if floor else "user_id repeats in the lead table"
        raise WindowError(
            f"{int(doubled.sum()):,} observations repeat another's user_id and as_of ({shown}): {why}; one is needed "
            f"for each lead and instant"
        )


def left_out(counts: Mapping[str, int]) -> str:
    """Return the counts in words: how many of the candidates are observed, and why the others are not.

    Examples
    --------
    >>> left_out({"candidates": 3, "closed before as_of": 2, "observations": 1})
    '1 of 3; left out: 2 closed before as_of'
    """
    reasons = [f"{n:,} {reason}" for reason, n in counts.items() if n and reason not in ("candidates", "observations")]
    said = f"{counts['observations']:,} of {counts['candidates']:,}"
    return said + (f"; left out: {', '.join(reasons)}" if reasons else "")


def own_points(tables: Tables, window: WindowConfig) -> pd.DataFrame:
    """Return every (lead, as_of) the window speaks of: `user_id`, `as_of`, `lead_row`.

    With `floor=1d`, a lead of 5 March 17:20 is observed a week later at 12 March 00:00: it is scored in the nightly
    batch, and sees what that one sees.
    """
    leads = tables.leads
    rows = np.arange(len(leads))
    if isinstance(window, SnapshotsWindow):
        return _snapshots(leads, window, tables.data_end)
    if isinstance(window, DelayWindow):
        if tables.repeats_leads:
            raise WindowError(
                "window=delay observes each lead once, but user_id repeats in the lead table: choose window=given"
            )
        as_of = leads["created_at"] + pd.Timedelta(parse_duration(window.delay))
    elif "as_of" in leads:
        as_of = leads["as_of"]
    else:
        raise WindowError(
            "window=given needs the lead table to carry as_of: map it in data.leads.columns, or choose another window"
        )
    if floor := getattr(window, "floor", None):
        as_of = as_of.dt.floor(pd.Timedelta(parse_duration(floor))).astype(as_of.dtype)
    return pd.DataFrame({"user_id": leads["user_id"], "as_of": as_of, "lead_row": rows})


def _snapshots(leads: pd.DataFrame, window: SnapshotsWindow, data_end: pd.Timestamp) -> pd.DataFrame:
    """At each instant of the grid: leads created by then and younger than max_age."""
    first = pd.Timestamp(parse_instant(window.start)) if window.start else leads["created_at"].min().floor("D")
    last = min(data_end, pd.Timestamp(parse_instant(window.end))) if window.end else data_end
    max_age, every = (pd.Timedelta(parse_duration(length)) for length in (window.max_age, window.every))
    n_snapshots = max(0, (last - first) // every + 1)
    if n_snapshots > MOST_SNAPSHOTS:
        raise WindowError(
            f"window.every {window.every} makes {n_snapshots:,} snapshots from {first:%Y-%m-%d} to {last:%Y-%m-%d}, "
            f"and at most {MOST_SNAPSHOTS:,} are taken: a longer one, or window.start and window.end, make fewer"
        )
    pieces = []
    for as_of in pd.date_range(first, last, freq=every, unit="us"):
        age = as_of - leads["created_at"]
        rows = np.flatnonzero((age >= pd.Timedelta(0)) & (age < max_age))
        pieces.append(pd.DataFrame({"user_id": leads["user_id"].iloc[rows], "as_of": as_of, "lead_row": rows}))
    if not pieces:
        borders = "window.start, window.end, the first creation and the data's end"
        raise WindowError(
            f"no snapshot lies between {first:%Y-%m-%d %H:%M} and {last:%Y-%m-%d %H:%M} ({borders} decide)"
        )
    return pd.concat(pieces, ignore_index=True)


def _reasons(
    as_of: pd.Series,
    lead: pd.DataFrame,
    label: pd.Series,
    horizon: pd.Timedelta,
    window: WindowConfig,
    data_end: pd.Timestamp,
) -> dict[str, np.ndarray]:
    """Return each reason for exclusion with a mask (n_candidates,), in the order in which they count."""
    never = np.zeros(len(as_of), dtype=bool)
    start = as_of < pd.Timestamp(parse_instant(window.start)) if window.start else never
    end = as_of >= pd.Timestamp(parse_instant(window.end)) if window.end else never
    reasons = {
        "before window.start": start,
        "at or after window.end": end,
        **not_at_risk(as_of, lead),
        IMMATURE: as_of + horizon > data_end,
        "undecided (no label yet)": label.isna(),
    }
    return {reason: np.asarray(holds, dtype=bool) for reason, holds in reasons.items()}


def not_at_risk(as_of: pd.Series, lead: pd.DataFrame) -> dict[str, Any]:
    """Return why leads are not at risk at `as_of`, each reason with a mask (n,).

    Parameters
    ----------
    as_of : Series of datetime64[us, UTC] (n,)
    lead : DataFrame (n, ...)
        Rows of the lead table, in the order of `as_of` and with its index.
    """
    never = np.zeros(len(as_of), dtype=bool)
    return {
        "created after as_of": lead["created_at"] > as_of,
        "converted before as_of": lead["converted_at"] < as_of if "converted_at" in lead else never,
        "closed before as_of": lead["closed_at"] < as_of if "closed_at" in lead else never,
    }


def _labeller(
    tables: Tables, horizon: pd.Timedelta, window: WindowConfig, statuses: Mapping[str, str], labels: Mapping[str, int]
) -> Callable[[pd.DataFrame, pd.Series], pd.Series]:
    """Return how this window's labels come about: `(lead rows, as_of) -> 0.0, 1.0 or NaN`."""
    columns = set(tables.leads.columns)
    if window.name == "given" and "label" in columns:
        return lambda lead, _: lead["label"].map(dict(labels)).astype("float64")
    if "converted_at" in columns and horizon:
        return lambda lead, as_of: ((lead["converted_at"] >= as_of) & (lead["converted_at"] < as_of + horizon)).astype(
            "float64"
        )
    if "converted_at" in columns:
        raise WindowError(
            "window.horizon 0d with converted_at mapped: the outcome is conversion in [as_of, as_of + horizon), so say "
            "how long it may take (window.horizon=30d); or leave converted_at unmapped, and the status alone decides"
        )
    if window.name == "given" and "status" in columns:
        # A status without a time is an outcome only once it is decided.
        decided = {"converted": 1.0, "closed": 0.0, "open": np.nan}
        meaning = {word: decided[state] for word, state in statuses.items()}
        return lambda lead, _: lead["status"].map(meaning).astype("float64")
    if window.name == "given":
        raise WindowError(
            "window=given finds no outcome: the lead table has neither a label, nor a status, nor converted_at; "
            "map one in data.leads.columns"
        )
    raise WindowError(
        f"window={window.name} needs converted_at: the outcome is conversion in [as_of, as_of + horizon); map it in "
        f"data.leads.columns (a status without a time is enough for window=given only)"
    )
