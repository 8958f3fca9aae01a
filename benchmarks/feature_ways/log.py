"""The log that all ways read: simulated, in two Parquet files, and who is observed when."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from feature_ways import TYPES

__all__ = ["BEGIN", "DAY", "END", "N_SNAPSHOTS", "as_of_of_snapshots", "observations", "simulate"]

Array = np.ndarray[Any, Any]
DAY = 86_400_000_000  # microseconds
BEGIN = 1_704_067_200_000_000  # 2024-01-01 UTC, in microseconds since 1970
END = BEGIN + 270 * DAY
SIGN_UP_DAYS = 240
MEAN_EVENTS = 20  # a lead
N_SNAPSHOTS = 12
SHARES = (0.2, 0.3, 0.25, 0.1, 0.03, 0.05, 0.02, 0.05)  # of the types
TIME = pa.timestamp("us", tz="UTC")


def simulate(folder: Path, n_events: int, seed: int = 1) -> None:
    """Write `events.parquet` and `leads.parquet`, unless they are there.

    Leads sign up over 240 of 270 days; how many events a lead has is lognormal, 20 on average, more of them soon after
    the sign-up than later; three in a hundred are invoices, which alone have an amount.

    Parameters
    ----------
    folder : Path
    n_events : int
    seed : int
    """
    events, leads = folder / "events.parquet", folder / "leads.parquet"
    if events.is_file() and leads.is_file():
        return
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    n_leads = max(1, n_events // MEAN_EVENTS)
    ids = pa.array([f"u{number:08d}" for number in range(n_leads)])
    created = BEGIN + (rng.random(n_leads) * SIGN_UP_DAYS * DAY).astype("int64")
    weight = rng.lognormal(size=n_leads)
    lead = np.repeat(np.arange(n_leads, dtype="int32"), rng.multinomial(n_events, weight / weight.sum()))
    time = created[lead] + (rng.random(n_events) ** 1.5 * (END - created[lead])).astype("int64")
    order = np.argsort(time)  # as logs are written
    lead, time = lead[order], time[order]
    kind = rng.choice(len(TYPES), n_events, p=SHARES).astype("int8")
    amount = np.where(kind == TYPES.index("invoice"), np.round(rng.gamma(2, 50, n_events), 2), np.nan)
    table = {
        "user_id": pa.DictionaryArray.from_arrays(pa.array(lead), ids).cast(pa.string()),
        "timestamp": pa.array(time).cast(TIME),
        "event_type": pa.DictionaryArray.from_arrays(pa.array(kind), pa.array(TYPES)).cast(pa.string()),
        "amount": pa.array(amount, from_pandas=True),
    }
    _write(pa.table(table), events)
    _write(pa.table({"user_id": ids, "created_at": pa.array(created).cast(TIME)}), leads)


def _write(table: pa.Table, path: Path) -> None:
    unfinished = path.with_suffix(".unfinished")
    pq.write_table(table, unfinished, row_group_size=1 << 20)
    unfinished.rename(path)


def as_of_of_snapshots() -> list[int]:
    """Return the twelve weekly instants, the last at the log's end, in microseconds since 1970."""
    return [END - 7 * DAY * back for back in reversed(range(N_SNAPSHOTS))]


def observations(created: Array, scenario: str) -> tuple[Array, Array]:
    """Return each observation's lead, as its row in the lead table, and its `as_of` in microseconds since 1970.

    Parameters
    ----------
    created : array of int64 (n_leads,)
        Microseconds since 1970.
    scenario : {'snapshots', 'own'}
    """
    n = len(created)
    if scenario == "own":
        return np.arange(n), created + 30 * DAY
    return np.tile(np.arange(n), N_SNAPSHOTS), np.repeat(np.array(as_of_of_snapshots()), n)
