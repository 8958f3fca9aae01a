"""Which times are plausible: the rule for a table's times, and the epoch's units, whose mix-up lands in 1970."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pyarrow as pa

from leadscore.config.schema import FilesData
from leadscore.data.origin import Column, Findings
from leadscore.times import parse_instant

__all__ = ["EPOCH", "PER_SECOND", "UNIT_NAMES", "TimeRule", "check_range", "time_rule", "unit_guess"]

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
UNIT_NAMES = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
EPOCH = {f"epoch_{unit}": unit for unit in PER_SECOND}


@dataclass(frozen=True)
class TimeRule:
    """What a table's times may look like.

    Attributes
    ----------
    format : str or None
        `time_format` of the table.
    timezone : str or None
        IANA zone of times that carry none.
    earliest, latest : datetime
        An instant outside `[earliest, latest]` is a mistake.
    nonexistent, ambiguous : str
        `policy.nonexistent_times` and `policy.ambiguous_times`.
    """

    format: str | None
    timezone: str | None
    earliest: datetime
    latest: datetime
    nonexistent: str
    ambiguous: str


def time_rule(config: FilesData, time_format: str | None, now: datetime) -> TimeRule:
    """Return the rule for a table's times; `now` is the wall clock, from which a day of skew is allowed."""
    return TimeRule(
        format=time_format,
        timezone=config.timezone,
        earliest=parse_instant(config.earliest),
        latest=now + timedelta(days=1),
        nonexistent=config.policy.nonexistent_times,
        ambiguous=config.policy.ambiguous_times,
    )


def check_range(column: Column, instants: pd.Series, rule: TimeRule, findings: Findings) -> None:
    """Record the times outside the rule's range, with the unit in which they would lie inside."""
    earliest, latest = pd.Timestamp(rule.earliest), pd.Timestamp(rule.latest)
    early, late = (instants < earliest).to_numpy(), (instants > latest).to_numpy()
    if early.any():
        guess = _mistaken_unit(column, int(np.flatnonzero(early)[0]), instants, rule)
        words = f"before data.earliest {rule.earliest:%Y-%m-%d} ({{at}}){guess}"
        findings.bad(column, early, words, noun="time")
    if late.any():
        guess = _mistaken_unit(column, int(np.flatnonzero(late)[0]), instants, rule)
        words = (
            f"more than a day after now ({{at}}){guess}; a text that means missing belongs in {column.key}.null_values"
        )
        findings.bad(column, late, words, noun="time")


def _mistaken_unit(column: Column, position: int, instants: pd.Series, rule: TimeRule) -> str:
    """Return words for the unit that would make sense of a number read in another."""
    kind = column.cells.type
    if pa.types.is_timestamp(kind):
        read, number = kind.unit, column.cells[position].value
    elif rule.format in EPOCH:
        read, number = EPOCH[rule.format], int(Decimal(str(column.cells[position].as_py())))
    else:  # a text that was made from a number, most often by a reader whose unit is nanoseconds
        read, number = "ns", int(instants.iloc[[position]].astype("int64").iloc[0]) * 1000
    guess = unit_guess(number, rule)
    if guess is None or guess[0] == read:
        return ""
    return (
        f": epoch {UNIT_NAMES[guess[0]]} read as {UNIT_NAMES[read]}? As {UNIT_NAMES[guess[0]]} the first is {guess[1]}"
    )


def unit_guess(number: int, rule: TimeRule) -> tuple[str, str] | None:
    """Return the unit in which a number is a likely time, and that time."""
    for unit, per_second in PER_SECOND.items():
        if rule.earliest.timestamp() <= number / per_second <= rule.latest.timestamp():
            return unit, f"{datetime.fromtimestamp(number // per_second, UTC):%Y-%m-%d %H:%M:%SZ}"
    return None
