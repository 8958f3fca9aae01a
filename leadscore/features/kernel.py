"""The compiled loops behind declared aggregates: one walk over events sorted by (lead, time) each.

All take the same shape. `offsets` (n_leads + 1) says where each lead's events begin, `asked` (n_leads + 1) where its
observations begin, which stand in ascending `as_of`. So both ends of every window only move forward, and a walk costs
events plus observations, however long the lookback. `low` and `high` (n_observations) are the half-open slice of
events that an observation's window holds.

The first call of each compiles it, once for a machine: the machine code is kept on disk (NUMBA_CACHE_DIR says where).
"""

from typing import Any

import numpy as np

from leadscore.jit import compiled

__all__ = [
    "active_days",
    "arrived",
    "bounds",
    "counts",
    "distinct",
    "extremes",
    "known_rows",
    "moments",
    "pick",
    "sums",
    "trim",
]

DAY = 86_400_000_000  # microseconds
SPLITTER = 134_217_729.0  # 2**27 + 1, Dekker (1971): halves a double's 53 bits


@compiled
def bounds(time: Any, offsets: Any, as_of: Any, asked: Any, lookback: int, low: Any, high: Any) -> None:
    """Write each observation's window `[as_of - lookback, as_of)`; a negative lookback is everything before `as_of`."""
    for lead in range(len(offsets) - 1):
        first = last = offsets[lead]
        end = offsets[lead + 1]
        for k in range(asked[lead], asked[lead + 1]):
            now = as_of[k]
            while last < end and time[last] < now:
                last += 1
            if lookback >= 0:
                while first < last and time[first] < now - lookback:
                    first += 1
            low[k], high[k] = first, last


@compiled
def counts(  # noqa: PLR0913, PLR0917 - what a loop reads and writes
    time: Any, codes: Any, starts: Any, filters: Any, offsets: Any, as_of: Any, asked: Any, lookback: int, out: Any
) -> None:
    """Write how many events of each window several filters pick, all filters in one walk.

    The filters that pick an event of code c are `filters[starts[c]]` up to `filters[starts[c + 1]]`; `out` is
    (n_filters, n_observations).
    """
    n = np.zeros(len(out), dtype=np.int64)
    for lead in range(len(offsets) - 1):
        first = last = offsets[lead]
        n[:] = 0
        for k in range(asked[lead], asked[lead + 1]):
            now = as_of[k]
            while last < offsets[lead + 1] and time[last] < now:
                for place in range(starts[codes[last]], starts[codes[last] + 1]):
                    n[filters[place]] += 1
                last += 1
            if lookback >= 0:
                while first < last and time[first] < now - lookback:
                    for place in range(starts[codes[first]], starts[codes[first] + 1]):
                        n[filters[place]] -= 1
                    first += 1
            for each in range(len(out)):
                out[each, k] = n[each]


@compiled
def trim(time: Any, offsets: Any, as_of: Any, asked: Any, rows: Any, kept: Any) -> int:
    """Write the events before their lead's last `as_of`, and where each lead's begin among them; how many."""
    n = 0
    for lead in range(len(offsets) - 1):
        kept[lead] = n
        if asked[lead + 1] > asked[lead]:
            now = as_of[asked[lead + 1] - 1]
            row = offsets[lead]
            while row < offsets[lead + 1] and time[row] < now:
                rows[n] = row
                n += 1
                row += 1
    kept[len(offsets) - 1] = n
    return n


@compiled
def pick(codes: Any, allowed: Any, offsets: Any, rows: Any, kept: Any) -> int:
    """Write the events whose code is allowed (the last place is that of code -1), and where each lead's begin."""
    n = 0
    for lead in range(len(offsets) - 1):
        kept[lead] = n
        for row in range(offsets[lead], offsets[lead + 1]):
            rows[n] = row  # written always and kept if allowed: no branch to guess wrong
            n += allowed[codes[row]]
    kept[len(offsets) - 1] = n
    return n


@compiled
def arrived(time: Any, ingested: Any, offsets: Any, as_of: Any, asked: Any, whole: Any) -> None:
    """Write whether every event before an observation's `as_of` had arrived by then."""
    for lead in range(len(offsets) - 1):
        last = offsets[lead]
        latest = np.int64(-(2**62))
        for k in range(asked[lead], asked[lead + 1]):
            while last < offsets[lead + 1] and time[last] < as_of[k]:
                latest = max(latest, ingested[last])
                last += 1
            whole[k] = latest <= as_of[k]


@compiled
def known_rows(
    time: Any, ingested: Any, first: Any, last: Any, as_of: Any, lookback: int, rows: Any, offsets: Any
) -> int:
    """Write the events of each observation's lead (`first` up to `last`) that its windows see; how many.

    Those are the events that were known at `as_of`, back to the longest lookback, or all (-1).
    """
    n = 0
    for k in range(len(as_of)):
        offsets[k] = n
        row = first[k]
        if lookback >= 0:
            row += np.searchsorted(time[first[k] : last[k]], as_of[k] - lookback)
        while row < last[k] and time[row] < as_of[k]:
            if ingested[row] <= as_of[k]:
                rows[n] = row
                n += 1
            row += 1
    offsets[len(as_of)] = n
    return n


@compiled
def _two_sum(a: float, b: float) -> Any:
    """Return a + b and its rounding error, exactly (Knuth, TAOCP 2, 4.2.2 theorem B)."""
    total = a + b
    part = total - a
    return total, (a - (total - part)) + (b - part)


@compiled
def _two_product(a: float, b: float) -> Any:
    """Return a * b and its rounding error, exactly (Dekker 1971)."""
    product = a * b
    big = SPLITTER * a
    a_high = big - (big - a)
    big = SPLITTER * b
    b_high = big - (big - b)
    a_low, b_low = a - a_high, b - b_high
    return product, ((a_high * b_high - product) + a_high * b_low + a_low * b_high) + a_low * b_low


@compiled
def _largest(offsets: Any) -> int:
    most = 0
    for lead in range(len(offsets) - 1):
        most = max(most, offsets[lead + 1] - offsets[lead])
    return most


@compiled
def sums(values: Any, offsets: Any, asked: Any, low: Any, high: Any, total: Any, n: Any) -> None:
    """Write the sum of each window's values and how many there are, NaN left out.

    Differences of running sums, each carried with its rounding errors (Ogita, Rump and Oishi 2005, Sum2): as exact as
    adding the window up alone, so 0.01 after a million stays 0.01.
    """
    size = _largest(offsets) + 1
    sum_to, error_to, n_to = np.empty(size), np.empty(size), np.empty(size, dtype=np.int64)
    for lead in range(len(offsets) - 1):
        begin = offsets[lead]
        sum_to[0] = error_to[0] = 0.0
        n_to[0] = 0
        for row in range(begin, offsets[lead + 1]):
            i = row - begin
            value = values[row]
            if not np.isnan(value):
                sum_to[i + 1], error = _two_sum(sum_to[i], value)
                error_to[i + 1], n_to[i + 1] = error_to[i] + error, n_to[i] + 1
            else:
                sum_to[i + 1], error_to[i + 1], n_to[i + 1] = sum_to[i], error_to[i], n_to[i]
        for k in range(asked[lead], asked[lead + 1]):
            a, b = low[k] - begin, high[k] - begin
            difference, error = _two_sum(sum_to[b], -sum_to[a])
            total[k] = difference + (error + (error_to[b] - error_to[a]))
            n[k] = n_to[b] - n_to[a]


@compiled
def moments(values: Any, offsets: Any, asked: Any, low: Any, high: Any, variance: Any) -> None:
    """Write each window's sample variance (n - 1), NaN where fewer than two values.

    n * sum(x**2) - sum(x)**2, over n * (n - 1), with sums, squares and their difference carried to twice the precision
    of a double, so that the cancellation which makes this formula infamous costs nothing that shows.
    """
    size = _largest(offsets) + 1
    s, s_error, q, q_error = np.empty(size), np.empty(size), np.empty(size), np.empty(size)
    n_to = np.empty(size, dtype=np.int64)
    for lead in range(len(offsets) - 1):
        begin = offsets[lead]
        s[0] = s_error[0] = q[0] = q_error[0] = 0.0
        n_to[0] = 0
        for row in range(begin, offsets[lead + 1]):
            i = row - begin
            value = values[row]
            if not np.isnan(value):
                s[i + 1], error = _two_sum(s[i], value)
                s_error[i + 1] = s_error[i] + error
                square, square_error = _two_product(value, value)
                q[i + 1], error = _two_sum(q[i], square)
                q_error[i + 1] = q_error[i] + (error + square_error)
                n_to[i + 1] = n_to[i] + 1
            else:
                s[i + 1], s_error[i + 1], q[i + 1], q_error[i + 1] = s[i], s_error[i], q[i], q_error[i]
                n_to[i + 1] = n_to[i]
        for k in range(asked[lead], asked[lead + 1]):
            a, b = low[k] - begin, high[k] - begin
            n = n_to[b] - n_to[a]
            if n < 2:
                variance[k] = np.nan
                continue
            x, x_low = _two_sum(s[b], -s[a])
            x_low += s_error[b] - s_error[a]
            y, y_low = _two_sum(q[b], -q[a])
            y_low += q_error[b] - q_error[a]
            xx, xx_low = _two_product(x, x)
            xx_low += 2.0 * x * x_low
            ny, ny_low = _two_product(float(n), y)
            ny_low += n * y_low
            difference, error = _two_sum(ny, -xx)
            variance[k] = max(0.0, difference + (error + (ny_low - xx_low))) / (n * (n - 1.0))


@compiled
def extremes(values: Any, offsets: Any, asked: Any, low: Any, high: Any, sign: float, out: Any) -> None:
    """Write each window's largest value (`sign` 1) or smallest (-1), NaN where there is none.

    A queue holds the rows that can still become the extreme: each enters and leaves once.
    """
    queue = np.empty(_largest(offsets) + 1, dtype=np.int64)
    for lead in range(len(offsets) - 1):
        head = tail = 0
        row = offsets[lead]
        for k in range(asked[lead], asked[lead + 1]):
            while row < high[k]:
                value = values[row]
                if not np.isnan(value):
                    while tail > head and sign * values[queue[tail - 1]] <= sign * value:
                        tail -= 1
                    queue[tail] = row
                    tail += 1
                row += 1
            while head < tail and queue[head] < low[k]:
                head += 1
            out[k] = values[queue[head]] if head < tail else np.nan


@compiled
def distinct(codes: Any, offsets: Any, asked: Any, low: Any, high: Any, seen: Any, out: Any) -> None:
    """Write how many different codes each window holds, those below 0 left out; `seen` is zeros, one a code."""
    for lead in range(len(offsets) - 1):
        first = last = offsets[lead]
        n = 0
        for k in range(asked[lead], asked[lead + 1]):
            while last < high[k]:
                code = codes[last]
                if code >= 0:
                    n += seen[code] == 0
                    seen[code] += 1
                last += 1
            while first < low[k]:
                code = codes[first]
                if code >= 0:
                    seen[code] -= 1
                    n -= seen[code] == 0
                first += 1
            out[k] = n
        for row in range(first, last):
            if codes[row] >= 0:
                seen[codes[row]] = 0


@compiled
def active_days(time: Any, offsets: Any, as_of: Any, asked: Any, low: Any, high: Any, out: Any) -> None:
    """Write on how many days, of 24 hours counted back from `as_of`, each window has an event.

    Two observations at the same time of day cut a lead's events into the same days, so their borders are counted once.
    """
    days_to = np.empty(_largest(offsets) + 1, dtype=np.int64)
    for lead in range(len(offsets) - 1):
        begin, end = offsets[lead], offsets[lead + 1]
        phase = np.int64(-1)
        for k in range(asked[lead], asked[lead + 1]):
            if as_of[k] % DAY != phase:
                phase = as_of[k] % DAY
                for row in range(begin, end):
                    new = row == begin or (phase - time[row]) // DAY != (phase - time[row - 1]) // DAY
                    days_to[row - begin] = new if row == begin else days_to[row - begin - 1] + new
            out[k] = days_to[high[k] - 1 - begin] - days_to[low[k] - begin] + 1 if high[k] > low[k] else 0
