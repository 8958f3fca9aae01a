"""Who is told about a run besides its own folder. The folder is the truth; a tracker is an index or a mirror."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from leadscore.config.schema import TrackingConfig
from leadscore.errors import RecordError, did_you_mean
from leadscore.record.log import LOG, append_row, check_log

__all__ = ["TRACKERS", "Tracker", "make_tracker"]


class Tracker(Protocol):
    """Asked before the work whether it can be told, and told once: the run is complete, or has failed."""

    def check(self) -> None:
        """Raise a RecordError when the run could not be recorded."""

    def record(self, row: Mapping[str, Any], folder: Path) -> str | None:
        """Tell about the run; return where, in words, for the terminal."""


class CsvTracker:
    """One row in `experiments.csv` under the tracking root."""

    def __init__(self, config: TrackingConfig) -> None:
        self.log = Path(config.root) / LOG

    def check(self) -> None:
        check_log(self.log)

    def record(self, row: Mapping[str, Any], folder: Path) -> str | None:
        append_row(self.log, row)
        return str(self.log)


class NoTracker:
    """The run folder alone."""

    def __init__(self, config: TrackingConfig) -> None:
        pass

    def check(self) -> None:
        pass

    def record(self, row: Mapping[str, Any], folder: Path) -> str | None:
        return None


TRACKERS: dict[str, Callable[[TrackingConfig], Tracker]] = {"csv": CsvTracker, "none": NoTracker}


def make_tracker(config: TrackingConfig) -> Tracker:
    """Return the tracker that `tracking=` names."""
    if config.name not in TRACKERS:
        raise RecordError(f"tracking={config.name}: unknown tracker. {did_you_mean(config.name, TRACKERS)}")
    return TRACKERS[config.name](config)
