"""Who is told about a run besides its own folder. The folder is the truth; a tracker is an index or a mirror."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from leadscore.config.schema import TrackingConfig, WandbTracking
from leadscore.errors import RecordError, did_you_mean
from leadscore.record.log import LOG, append_row, check_log
from leadscore.record.mirror import copy_to_wandb, mode_of

__all__ = ["TRACKERS", "Tracker", "make_tracker"]


class Tracker(Protocol):
    """Asked before the work whether it can be told, and told once: the run is complete, or has failed.

    A complete run's folder is then shown to `mirror`, last of all.
    """

    def check(self) -> None:
        """Raise a RecordError when the run could not be recorded."""

    def record(self, row: Mapping[str, Any], folder: Path) -> str | None:
        """Tell about the run; return where, in words, for the terminal."""

    def mirror(self, folder: Path) -> None:
        """Copy the complete folder elsewhere; raise a RecordError only where the config makes a copy a must."""


class CsvTracker:
    """One row in `experiments.csv` under the tracking root."""

    def __init__(self, config: TrackingConfig) -> None:
        self.log = Path(config.root) / LOG

    def check(self) -> None:
        check_log(self.log)

    def record(self, row: Mapping[str, Any], folder: Path) -> str | None:
        append_row(self.log, row)
        return str(self.log)

    def mirror(self, folder: Path) -> None:
        pass


class NoTracker:
    """The run folder alone."""

    def __init__(self, config: TrackingConfig) -> None:
        pass

    def check(self) -> None:
        pass

    def record(self, row: Mapping[str, Any], folder: Path) -> str | None:
        return None

    def mirror(self, folder: Path) -> None:
        pass


class WandbTracker(CsvTracker):
    """The log's row, as ever, and afterwards a copy of the run's folder at Weights & Biases."""

    def __init__(self, config: TrackingConfig) -> None:
        super().__init__(config)
        assert isinstance(config, WandbTracking)  # `config.relations` keeps a name with its own keys
        self.config = config

    def check(self) -> None:
        super().check()
        mode_of(self.config)

    def mirror(self, folder: Path) -> None:
        copy_to_wandb(folder, self.config)


TRACKERS: dict[str, Callable[[TrackingConfig], Tracker]] = {"csv": CsvTracker, "none": NoTracker, "wandb": WandbTracker}


def make_tracker(config: TrackingConfig) -> Tracker:
    """Return the tracker that `tracking=` names."""
    if config.name not in TRACKERS:
        raise RecordError(f"tracking={config.name}: unknown tracker. {did_you_mean(config.name, TRACKERS)}")
    return TRACKERS[config.name](config)
