"""Durations as people write them, and instants with a zone: the words every room shares about time.

A duration is an exact length (`7d` is 168 hours, also across a clock change), never a calendar step:
months and years have no fixed length and are refused.
"""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

__all__ = ["format_duration", "parse_duration", "parse_instant"]

UNITS = {"w": 7 * 86_400, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
LONGEST = timedelta(days=36_525)  # a century: longer ones overflow the instants they are added to
_PART = re.compile(r"(\d+(?:\.\d+)?)([wdhms])")


def parse_duration(text: str) -> timedelta:
    """Return the exact length that `text` names.

    Parameters
    ----------
    text : str
        One or more numbers with a unit: `w` weeks, `d` days (24 h), `h` hours, `m` minutes, `s` seconds.

    Returns
    -------
    timedelta
        Zero or longer.

    Raises
    ------
    ValueError
        When a part has no unit, a unit is unknown, or it is finer than a microsecond or longer than a century.

    Examples
    --------
    >>> parse_duration("7d")
    datetime.timedelta(days=7)
    >>> parse_duration("1d12h") == parse_duration("36h")
    True
    >>> parse_duration("30")
    Traceback (most recent call last):
    ValueError: '30' is not a duration: write a number and a unit (w, d, h, m, s), as in 7d, 719h or 1d12h
    """
    stripped = text.strip()
    parts = _PART.findall(stripped)
    if not parts or "".join(number + unit for number, unit in parts) != stripped:
        msg = f"{text!r} is not a duration: write a number and a unit (w, d, h, m, s), as in 7d, 719h or 1d12h"
        raise ValueError(msg)
    # Decimal, because 0.1 + 0.2 s must be 0.3 s to the microsecond.
    microseconds = sum(Decimal(number) * UNITS[unit] for number, unit in parts) * 1_000_000
    if microseconds != int(microseconds):
        raise ValueError(f"{text!r} is finer than a microsecond")
    if microseconds > LONGEST.total_seconds() * 1_000_000:
        raise ValueError(f"{text!r} is longer than {LONGEST.days:,} days")
    return timedelta(microseconds=int(microseconds))


def format_duration(length: timedelta) -> str:
    """Return the shortest spelling of a duration in days, hours, minutes and seconds.

    Examples
    --------
    >>> format_duration(timedelta(hours=36))
    '1d12h'
    >>> format_duration(timedelta(0))
    '0d'
    """
    left = length // timedelta(microseconds=1)
    parts = []
    for unit in ("d", "h", "m"):
        count, left = divmod(left, UNITS[unit] * 1_000_000)
        if count:
            parts.append(f"{count}{unit}")
    if left:
        parts.append(f"{Decimal(left) / 1_000_000:f}s")
    return "".join(parts) or "0d"


def parse_instant(text: str) -> datetime:
    """Return the instant that an ISO 8601 text names, in UTC.

    A date alone is midnight UTC. A time of day without an offset is refused: 09:00 is a different
    instant in every zone.

    Examples
    --------
    >>> parse_instant("2024-03-10")
    datetime.datetime(2024, 3, 10, 0, 0, tzinfo=datetime.timezone.utc)
    >>> parse_instant("2024-03-10T09:00+01:00").hour
    8
    >>> parse_instant("2024-03-10T09:00")
    Traceback (most recent call last):
    ValueError: '2024-03-10T09:00' has no zone: write 2024-03-10T09:00Z or an offset such as +01:00
    """
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text!r} is not an ISO 8601 date or time, such as 2024-03-10 or 2024-03-10T09:00Z") from None
    if instant.tzinfo is None:
        if len(text.strip()) > len("2024-03-10"):
            raise ValueError(f"{text!r} has no zone: write {text.strip()}Z or an offset such as +01:00")
        instant = instant.replace(tzinfo=UTC)
    return instant.astimezone(UTC)
