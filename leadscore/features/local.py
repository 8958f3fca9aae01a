"""Which events fell on a weekend or at night, by the clock of a zone: UTC, a stated one, or each lead's own."""

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from leadscore.errors import FeatureError, examples

if TYPE_CHECKING:
    from leadscore.features.blocks import Block

__all__ = ["LEAD", "WHEN", "is_zone", "local_mask"]

DAY, HOUR = 86_400_000_000, 3_600_000_000  # microseconds
LEAD = "lead."  # zone: lead.COLUMN is the zone that stands in the lead table's column
WHEN = {"weekend": "on Saturdays and Sundays", "night": "from 22:00 to 06:00"}


def is_zone(name: str) -> bool:
    """Whether a name is a zone of the IANA database."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def local_mask(block: "Block", when: str, zone: str) -> Any:
    """Return which of a block's events fell on a weekend or at night.

    Parameters
    ----------
    block : Block
    when : {'weekend', 'night'}
        Saturday and Sunday; or [22:00, 06:00).
    zone : str
        An IANA zone, or `lead.COLUMN`; a lead without one counts in UTC.

    Raises
    ------
    FeatureError
        When a lead's zone is none.
    """
    local = _local_time(block, zone)
    if when == "weekend":
        return (local // DAY + 3) % 7 >= 5  # 1970 began on a Thursday
    hour = local % DAY // HOUR
    return (hour >= 22) | (hour < 6)


def _local_time(block: "Block", zone: str) -> Any:
    time = block.columns["timestamp"]
    if not zone.startswith(LEAD):
        return _shown(time, zone)
    named = pd.Series(block.zones(zone.removeprefix(LEAD)), dtype="str").fillna("UTC")
    codes, zones = pd.factorize(named)
    unknown = [name for name in zones if not is_zone(name)]
    if unknown:
        raise FeatureError(
            f"zone: {zone}: {len(unknown)} of its values are no zone of the IANA database ({examples(unknown)}), such "
            f"as Europe/Berlin"
        )
    of_event = np.repeat(codes, np.diff(block.offsets))
    local = np.empty_like(time)
    for code, name in enumerate(zones):
        rows = of_event == code
        local[rows] = _shown(time[rows], name)
    return local


def _shown(time: Any, zone: str) -> Any:
    """Return what a zone's clock shows, as microseconds since 1970."""
    if zone == "UTC":
        return time
    instants = pd.DatetimeIndex(time.view("datetime64[us]")).tz_localize("UTC")
    return instants.tz_convert(zone).tz_localize(None).asi8
