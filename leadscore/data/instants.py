"""Time columns to instants in UTC: the one place where times are parsed and zones applied.

Nothing is guessed. A time needs its zone (in the text, or in `data.timezone`), a number its unit, a day written
before or after its month a pattern.
"""

from collections import Counter
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from leadscore.data.clock import EPOCH, PER_SECOND, UNIT_NAMES, TimeRule, check_range, unit_guess
from leadscore.data.origin import Column, Findings
from leadscore.tables import TIME_DTYPE

__all__ = ["read_instants"]

DAY = r"\d{4}-\d{2}-\d{2}"
CLOCK = r"[T ]\d{2}:\d{2}(:\d{2}([.]\d+)?)?"
ZONED = rf"^{DAY}{CLOCK}(Z|[+-]\d{{2}}(:?\d{{2}})?)$"
NAIVE = rf"^{DAY}({CLOCK})?$"
LEAP_SECOND = rf"^{DAY}[T ]\d{{2}}:\d{{2}}:60"
DIGITS = r"^-?\d+([.]\d+)?$"
DAY_OR_MONTH = r"^\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}\b"
DAY_FIRST = r"^(1[3-9]|2\d|3[01])[/.-](0?[1-9]|1[0-2])[/.-]\d{4}\b"
MONTH_FIRST = r"^(0?[1-9]|1[0-2])[/.-](1[3-9]|2\d|3[01])[/.-]\d{4}\b"
FINER = r"[.]\d{6}\d*[1-9]"  # than a microsecond
YEAR_10000 = 253_402_300_800  # seconds since 1970


def read_instants(column: Column, rule: TimeRule, findings: Findings) -> pd.Series:
    """Return a column's instants.

    Parameters
    ----------
    column : Column
        Text (null where missing), or Parquet timestamps, dates or integers.
    rule : TimeRule
    findings : Findings
        Gets a problem for every way in which values cannot be read.

    Returns
    -------
    Series of datetime64[us, UTC] (n_rows,)
        NaT where missing or not readable. What is finer than a microsecond is cut off and counted.
    """
    kind = column.cells.type
    if pa.types.is_null(kind):
        found = pd.Series(pd.NaT, index=range(len(column.cells)), dtype=TIME_DTYPE)
    elif pa.types.is_large_string(kind):
        found = _from_text(column, rule, findings)
    elif pa.types.is_timestamp(kind):
        found = _from_numbers(column, column.cells.cast(pa.int64()), kind.unit, findings)
        if kind.tz is None:
            found = _localised(found.dt.tz_localize(None), column, rule, findings)
    elif pa.types.is_date(kind):
        days = column.cells.cast(pa.timestamp("us")).to_pandas().astype("datetime64[us]")
        found = _localised(days, column, rule, findings)
    elif pa.types.is_integer(kind):
        found = _from_epoch(column, rule, findings)
    else:
        findings.problems.append(f"{column.label} holds {kind}, which is no time: write timestamps or ISO 8601 texts")
        found = pd.Series(pd.NaT, index=range(len(column.cells)), dtype=TIME_DTYPE)
    check_range(column, found, rule, findings)
    return found


def _from_text(column: Column, rule: TimeRule, findings: Findings) -> pd.Series:
    if rule.format in EPOCH:
        return _from_epoch(column, rule, findings)
    if rule.format is not None:
        return _from_pattern(column, rule, rule.format, findings)
    # Patterns over a long log cost more than parsing it: each is asked only where it can hold.
    zoned, present = _matches(column, ZONED), np.asarray(column.cells.is_valid())
    nowhere = np.zeros(len(present), dtype=bool)
    naive = _matches(column, NAIVE) if (present & ~zoned).any() else nowhere
    leap = _matches(column, LEAP_SECOND) if pc.any(pc.match_substring(column.cells, ":60")).as_py() else nowhere
    _report_foreign(column, present & ~zoned & ~naive & ~leap, rule, findings)
    findings.bad(
        column, leap, "in a leap second ({at}), which no clock here has: write :59 or the next minute", noun="time"
    )
    cells = column.cells
    if (pc.max(pc.utf8_length(cells)).as_py() or 0) > len("2024-03-10T09:00:00.000000Z"):
        _count_finer(column, int(_matches(column, FINER).sum()), findings)
        cells = pc.replace_substring_regex(cells, r"([.]\d{6})\d+", r"\1")
    readable = (zoned | naive) & ~leap
    texts = cells.to_pandas().astype("str").where(readable)
    parsed = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce").astype(TIME_DTYPE)
    findings.bad(column, readable & parsed.isna(), "that no calendar has ({at})", noun="time")
    findings.spelled[column.label] = Counter({"zoned": int(zoned.sum()), "naive": int(naive.sum())})
    if not naive.any():
        return parsed
    if zoned.any():
        findings.problems.append(
            f"{column.label}: {zoned.sum():,} times have a zone ({column.at(zoned)}) and {naive.sum():,} have none "
            f"({column.at(naive)}); one column is written one way"
        )
        return parsed
    return _localised(parsed.dt.tz_localize(None), column, rule, findings)


def _matches(column: Column, pattern: str) -> np.ndarray[Any, Any]:
    found = pc.match_substring_regex(column.cells, pattern)
    return np.asarray(found.fill_null(False))


def _report_foreign(column: Column, foreign: Any, rule: TimeRule, findings: Findings) -> None:
    if not foreign.any():
        return
    digits = foreign & _matches(column, DIGITS)
    if digits.any():
        guess = unit_guess(int(Decimal(column.cells[int(np.flatnonzero(digits)[0])].as_py())), rule)
        said = (
            f"as {UNIT_NAMES[guess[0]]} the first is {guess[1]}"
            if guess
            else "no unit makes a likely time of the first"
        )
        findings.bad(
            column, digits, f"without a unit ({{at}}); {said}: state {_key(column)}: {_epochs(guess)}", noun="number"
        )
    slashed = foreign & _matches(column, DAY_OR_MONTH)
    day_first, month_first = slashed & _matches(column, DAY_FIRST), slashed & _matches(column, MONTH_FIRST)
    for mask, words, pattern in (
        (slashed & ~day_first & ~month_first, "whose day and month could be either", "'%d/%m/%Y' or '%m/%d/%Y'"),
        (day_first, "written day first", "'%d/%m/%Y'"),
        (month_first, "written month first", "'%m/%d/%Y'"),
    ):
        findings.bad(column, mask, f"{words} ({{at}}); state {_key(column)}, such as {pattern}", noun="time", shown=2)
    findings.bad(
        column,
        foreign & ~digits & ~slashed,
        f"not in ISO 8601, such as 2024-03-10T09:00:00+01:00 ({{at}}); write it, or state {_key(column)} "
        f"(a strptime pattern), or {column.key}.null_values for texts that mean missing",
        noun="value",
        shown=2,
    )


def _key(column: Column) -> str:
    return f"{column.key}.time_format"


def _epochs(guess: tuple[str, str] | None) -> str:
    return f"epoch_{guess[0]}" if guess else ", ".join(EPOCH)


def _from_pattern(column: Column, rule: TimeRule, pattern: str, findings: Findings) -> pd.Series:
    texts = column.cells.to_pandas().astype("str")
    has_zone = "%z" in pattern
    if "%" not in pattern or "%Z" in pattern:
        findings.problems.append(
            f"{_key(column)} {pattern!r} is not a strptime pattern such as '%d.%m.%Y %H:%M' (an offset is %z; a zone's "
            f"name is data.timezone), nor one of {', '.join(EPOCH)}"
        )
        return pd.Series(pd.NaT, index=texts.index, dtype=TIME_DTYPE)
    try:
        parsed = pd.to_datetime(texts, format=pattern, utc=has_zone, errors="coerce")
    except ValueError as error:
        findings.problems.append(f"{_key(column)} {pattern!r} is not a strptime pattern: {error}")
        return pd.Series(pd.NaT, index=texts.index, dtype=TIME_DTYPE)
    bad = texts.notna() & parsed.isna()
    findings.bad(column, bad, f"not written as {_key(column)} {pattern!r} says ({{at}})", noun="time", shown=2)
    if has_zone:
        return parsed.astype(TIME_DTYPE)
    return _localised(parsed.astype("datetime64[us]"), column, rule, findings)


def _localised(naive: pd.Series, column: Column, rule: TimeRule, findings: Findings) -> pd.Series:
    """Give times without a zone the stated one; those that a clock change skips or repeats follow the policy."""
    present = naive.notna().to_numpy()
    if rule.timezone is None:
        findings.bad(column, present, "without a zone ({at}); state data.timezone or write offsets", noun="time")
        return naive.dt.tz_localize("UTC").where(~present)
    if not present.any():
        return naive.dt.tz_localize("UTC")
    first = np.full(len(naive), rule.ambiguous != "later")
    skipped = present & naive.dt.tz_localize(rule.timezone, ambiguous=first, nonexistent="NaT").isna()
    twice = present & naive.dt.tz_localize(rule.timezone, ambiguous="NaT", nonexistent="shift_forward").isna()
    if rule.nonexistent == "error":
        words = f"that a clock change of {rule.timezone} skips"
        findings.bad(
            column, skipped, f"{words} ({{at}}); data.policy.nonexistent_times: shift_forward moves it", noun="time"
        )
    else:
        findings.count("times skipped by a clock change, moved forward", skipped.sum())
    if rule.ambiguous == "error":
        words = f"that a clock change of {rule.timezone} passes twice"
        findings.bad(
            column, twice, f"{words} ({{at}}); data.policy.ambiguous_times: earlier or later chooses", noun="time"
        )
    else:
        findings.count(f"times passed twice in a clock change, read as the {rule.ambiguous}", twice.sum())
    findings.note(f"{column.label}: times carry no zone and are read as {rule.timezone} (data.timezone).")
    instants = naive.dt.tz_localize(rule.timezone, ambiguous=first, nonexistent="shift_forward")
    return instants.dt.tz_convert("UTC").astype(TIME_DTYPE)


def _from_epoch(column: Column, rule: TimeRule, findings: Findings) -> pd.Series:
    unit = EPOCH.get(rule.format or "")
    if unit is None:
        text = Column(column.cells.cast(pa.large_string()), column.name, column.key, column.origin)
        _report_foreign(text, np.asarray(text.cells.is_valid()), rule, findings)
        return pd.Series(pd.NaT, index=range(len(column.cells)), dtype=TIME_DTYPE)
    if pa.types.is_integer(column.cells.type):
        return _from_numbers(column, column.cells.cast(pa.int64(), safe=False), unit, findings)
    digits = _matches(column, DIGITS)
    foreign = np.asarray(column.cells.is_valid()) & ~digits
    findings.bad(column, foreign, f"not a number, and {_key(column)} is {rule.format} ({{at}})", shown=2)
    nanoseconds = 10**9 // PER_SECOND[unit]
    limit = 2**63 - 1
    numbers = [
        max(-limit, min(limit, int(Decimal(text) * nanoseconds))) if good else None
        for text, good in zip(column.cells.to_pylist(), digits, strict=True)
    ]
    return _from_numbers(column, pa.chunked_array([pa.array(numbers, pa.int64())]), "ns", findings)


def _from_numbers(column: Column, numbers: pa.ChunkedArray, unit: str, findings: Findings) -> pd.Series:
    """Return instants of whole numbers of `unit` since 1970."""
    valid = np.asarray(numbers.is_valid()) if numbers.null_count else None
    counted = np.asarray(numbers.fill_null(0) if numbers.null_count else numbers).astype("int64", copy=False)
    if unit == "ns":
        _count_finer(column, int((counted % 1000 != 0).sum()), findings)
        micros = counted // 1000
    else:
        farthest = YEAR_10000 * PER_SECOND[unit]  # far out of range already; farther would overflow
        if len(counted) and (counted.min() < -farthest or counted.max() > farthest):
            counted = np.clip(counted, -farthest, farthest)
        micros = counted if unit == "us" else counted * (10**6 // PER_SECOND[unit])
    if valid is not None:
        micros = np.where(valid, micros, np.iinfo("int64").min)  # NaT
    return pd.Series(micros.view("datetime64[us]")).dt.tz_localize("UTC")


def _count_finer(column: Column, n: int, findings: Findings) -> None:
    findings.count(f"{column.key.removeprefix('data.')} times cut to whole microseconds", n)
    if n:
        findings.note(f"{column.label}: what is finer than a microsecond was cut off in {{n}} times.", n)
