"""Polars at its best: ids and types as small integers, one filtered group_by a snapshot, all lazy.

Of the forms tried (counts of distinct values or bitsets, columns made before grouping or expressions while grouping,
rows by time or by lead, one query or twelve) this one was the fastest; both of its engines are measured.
"""

from typing import Any

import polars as pl

from feature_ways import TYPES
from feature_ways.log import DAY, as_of_of_snapshots
from feature_ways.process import Job, Watch

__all__ = ["run"]

time, code, amount = pl.col("time"), pl.col("kind"), pl.col("amount")
SINCE_MONDAY = 3  # 1970-01-01 was a Thursday


def run(job: Job, watch: Watch) -> Any:
    """Read the log, code it and compute the features."""
    engine: Any = "streaming" if job.way == "polars_streaming" else "in-memory"
    with watch("read"):
        events, leads = pl.read_parquet(job.events), pl.read_parquet(job.leads)
    with watch("prepare"):
        leads = leads.with_row_index("lead").with_columns(created=pl.col("created_at").cast(pl.Int64))
        events = (
            events.lazy()
            .join(leads.lazy().select("user_id", "lead"), on="user_id", maintain_order="left")
            .select("lead", time=pl.col("timestamp").cast(pl.Int64), kind=_coded("event_type"), amount="amount")
            .collect()
        )
    with watch("compute"):
        lazy = [_own(events, leads)] if job.scenario == "own" else [_at(events, leads, n) for n in as_of_of_snapshots()]
        each = pl.collect_all(lazy, engine=engine) if engine == "streaming" else [frame.collect() for frame in lazy]
        result = pl.concat(each, rechunk=False)
    return result.join(leads.select("lead", "user_id"), on="lead").to_arrow()


def _coded(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Enum(list(TYPES))).to_physical().cast(pl.UInt8)


def _at(events: pl.DataFrame, leads: pl.DataFrame, now: int) -> pl.LazyFrame:
    grouped = events.lazy().filter(time < now).group_by("lead").agg(_aggregates(pl.lit(now)))
    asked = leads.lazy().select("lead", as_of=pl.lit(now))
    return _for_all(asked, grouped)


def _own(events: pl.DataFrame, leads: pl.DataFrame) -> pl.LazyFrame:
    asked = leads.lazy().select("lead", as_of=pl.col("created") + 30 * DAY)
    known = events.lazy().join(asked, on="lead").filter(time < pl.col("as_of"))
    return _for_all(asked, known.group_by("lead").agg(_aggregates(pl.col("as_of"))))


def _aggregates(now: pl.Expr) -> list[pl.Expr]:
    age = now - time
    in_30d, span = age <= 30 * DAY, (time.max() - time.min()) / DAY
    return [
        (age <= 7 * DAY).sum().alias("events_7d"),
        in_30d.sum().alias("events_30d"),
        (age.filter(code == TYPES.index("login")).min() / DAY).alias("days_since_login"),
        code.filter(in_30d).n_unique().alias("types_30d"),
        (age // DAY).filter(in_30d).n_unique().alias("active_days_30d"),
        amount.filter(age <= 90 * DAY).sum().alias("amount_90d"),
        (span / pl.when(pl.len() > 1).then(pl.len() - 1)).alias("mean_gap"),
        ((time // DAY + SINCE_MONDAY) % 7 >= 5).mean().alias("weekend_share"),
        amount.filter(in_30d & (code == TYPES.index("invoice"))).sum().alias("paid_30d"),
        *[(code == place).sum().alias(f"n_{kind}") for place, kind in enumerate(TYPES)],
    ]


def _for_all(asked: pl.LazyFrame, grouped: pl.LazyFrame) -> pl.LazyFrame:
    zero = pl.exclude("lead", "as_of", "days_since_login", "mean_gap", "weekend_share").fill_null(0)
    return asked.join(grouped, on="lead", how="left").with_columns(zero)
