"""The config's keys, types and defaults: the only place where a default lives, but for the models' (`config.models`).

What Python's types cannot say of a field stands in its metadata, see `config.fields`.
"""

from dataclasses import dataclass, field
from typing import Any

from omegaconf import MISSING

from leadscore.config.bands import BandsConfig
from leadscore.config.fields import choice, duration, instant, kept_as, number, unhashed
from leadscore.config.models import (
    BaselineModel,
    EnsembleModel,
    HistGradientBoostingModel,
    LightgbmModel,
    LogisticModel,
    ModelConfig,
    RandomSearch,
    SearchConfig,
    TpeSearch,
)
from leadscore.config.sweeps import SweepConfig

__all__ = [
    "HASHED_GROUPS",
    "SCHEMAS",
    "BandsConfig",
    "BaselineModel",
    "ChecksConfig",
    "ComputeConfig",
    "Config",
    "DaskCompute",
    "DataConfig",
    "DelayWindow",
    "DemoData",
    "EnsembleModel",
    "FilesData",
    "GivenWindow",
    "GroupedValidation",
    "HistGradientBoostingModel",
    "HoldoutValidation",
    "LightgbmModel",
    "LogisticModel",
    "MetricsConfig",
    "ModelConfig",
    "PolicyConfig",
    "RandomSearch",
    "RandomValidation",
    "RollingValidation",
    "RowOrderConfig",
    "SearchConfig",
    "SnapshotsWindow",
    "SweepConfig",
    "TableConfig",
    "TpeSearch",
    "TrackingConfig",
    "ValidationConfig",
    "WandbTracking",
    "WindowConfig",
]

# Everything else in the config (tracking, compute, notes, seed, ...) cannot change what is being asked.
HASHED_GROUPS = ("data", "window", "definitions", "features", "model", "search", "validation")


# --- data -------------------------------------------------------------------------------------------


@dataclass
class TableConfig:
    """One table: where it lies, and what its columns are called there.

    Besides a column's name, `columns` takes `row_number` for `user_id` (the row's position as an id) and
    `row_order` for a time (the row's position as an instant, see `RowOrderConfig`).
    """

    path: str = unhashed(MISSING)  # a file, a folder or a glob, relative to data.dir; CSV (.gz) or Parquet
    columns: dict[str, str] = field(default_factory=dict)  # leadscore's name -> the file's name
    separator: str = ","
    encoding: str = "utf-8"
    decimal: str = "."
    time_format: str | None = None  # null: ISO 8601; a strptime pattern; or epoch_s, epoch_ms, epoch_us, epoch_ns
    null_values: dict[str, list[str]] = field(default_factory=dict)  # leadscore's name -> texts that mean missing
    numbers: list[str] = field(default_factory=list)  # leadscore's names of event columns that are numbers, not text


@dataclass
class RowOrderConfig:
    """The instants that `row_order` stands for: row i is `start + i * step`. An order, not a date."""

    start: str = instant()
    step: str = duration()


@dataclass
class PolicyConfig:
    """What happens to rows that are wrong in a known way. Every one is counted in the run's record."""

    duplicate_leads: str = choice("error", "error", "drop_exact")
    duplicate_events: str = choice("keep", "keep", "drop_exact", "error")
    null_ids: str = choice("error", "error", "drop")
    orphan_events: str = choice("drop", "drop", "error")  # events of leads that the lead table does not have
    early_events: str = choice("keep", "keep", "drop", "error")  # events before their lead was created
    late_events: str = choice("drop", "drop", "error")  # events at or after data_end
    missing_ingested_at: str = choice("error", "error", "timestamp")  # timestamp: known when the event happened
    nonexistent_times: str = choice("error", "error", "shift_forward")  # skipped by a clock change
    ambiguous_times: str = choice("error", "error", "earlier", "later")  # passed twice in a clock change


@dataclass
class DataConfig:
    """What is said of any tables, read or simulated."""

    name: str = MISSING
    source: str = choice("files", "files", "demo")
    currency: str | None = None  # all amounts are reported in it
    rates: dict[str, float] = field(default_factory=dict)  # currency -> what one unit is worth in `currency`
    statuses: dict[str, str] = field(default_factory=dict)  # their status -> open | converted | closed
    labels: dict[str, int] = field(default_factory=dict)  # their label -> 0 | 1 (only with a label column)
    event_types: dict[str, str] = field(default_factory=dict)  # their event type -> the name features use
    known_at_creation: dict[str, str] = field(default_factory=dict)  # lead attribute -> number | category
    data_end: str | None = instant(None)  # the tables are complete up to here; null: the latest time in them


@dataclass
class FilesData(DataConfig):
    """Tables in CSV or Parquet files."""

    dir: str = unhashed(MISSING)  # of the files; relative to the current directory
    leads: TableConfig = field(default_factory=TableConfig)
    events: TableConfig | None = None
    row_order: RowOrderConfig | None = None
    timezone: str | None = None  # zone of times that carry none; null refuses them
    earliest: str = instant("2000-01-01T00:00:00Z")  # an older time is a parsing mistake
    policy: PolicyConfig = field(default_factory=PolicyConfig)


@dataclass
class DemoData(DataConfig):
    """A simulated sales funnel."""

    source: str = choice("demo", "files", "demo")
    n_leads: int = number(6_000, at_least=1)
    seed: int = number(23, at_least=0)  # of the simulated world; the run's own `seed` never touches it


# --- window -----------------------------------------------------------------------------------------


@dataclass
class WindowConfig:
    """When scores would have been made (`as_of`) and how long the outcome may take."""

    name: str = MISSING
    horizon: str = duration()
    start: str | None = instant(None)  # observations with start <= as_of < end
    end: str | None = instant(None)


@dataclass
class DelayWindow(WindowConfig):
    """One observation a lead, a fixed time after its creation."""

    name: str = "delay"
    delay: str = duration()
    floor: str | None = duration(None)  # as_of is moved back to a multiple of it since 1970 UTC: 1d is midnight


@dataclass
class SnapshotsWindow(WindowConfig):
    """Regular instants at which every lead at risk and younger than `max_age` is observed."""

    name: str = "snapshots"
    every: str = duration()
    max_age: str = duration()


@dataclass
class GivenWindow(WindowConfig):
    """The lead table carries `as_of`; it may carry the label, and a lead may have several rows."""

    name: str = "given"
    floor: str | None = duration(None)  # as for a delay


# --- validation, tracking, compute --------------------------------------------------------------------


@dataclass
class ValidationConfig:
    """Who trains and who validates: forward in time, or by lot."""

    name: str = MISSING
    embargo: str = kept_as("embargo", "0d")  # added to the horizon in the purge; covers late events; auto: measured
    seeds: int = number(1, at_least=1)  # fits of each fold: the first on its training rows, others on resampled leads
    inner_share: float = number(0.2, above=0, below=1)  # of the training rows, for early_stopping and calibration
    seal: str | None = duration(None)  # a last period of this length is kept away for `leadscore confirm`


@dataclass
class HoldoutValidation(ValidationConfig):
    """The last period is validation. Its border is `start`, or `length` before the end, or the last `share`."""

    name: str = "holdout"
    share: float = number(0.25, above=0, below=1)  # of the observations, in time order; where no other is given
    length: str | None = duration(None)
    start: str | None = instant(None)


@dataclass
class RollingValidation(ValidationConfig):
    """Rolling origin: `folds` validation periods of one `length`, ending at the last observation."""

    name: str = "rolling"
    folds: int = number(3, at_least=1)
    length: str = duration()
    train_length: str | None = duration(None)  # null: expanding; else a sliding training period


@dataclass
class GroupedValidation(ValidationConfig):
    """A share of the leads, or of the accounts, drawn by lot: no lead, and no account, stands on both sides."""

    name: str = "grouped"
    share: float = number(0.25, above=0, below=1)  # of the groups
    group: str = "user_id"  # or a column of data.known_at_creation that names the account
    seed: int = number(0, at_least=0)  # of the lot; the run's own `seed` leaves the rows alone


@dataclass
class RandomValidation(ValidationConfig):
    """A share of the observations, drawn by lot: optimistic wherever the rows have times."""

    name: str = "random"
    share: float = number(0.25, above=0, below=1)  # of the observations
    seed: int = number(0, at_least=0)  # of the lot; the run's own `seed` leaves the rows alone


@dataclass
class TrackingConfig:
    """Who is told about a run besides its own folder."""

    name: str = MISSING
    root: str = "outputs"


@dataclass
class WandbTracking(TrackingConfig):
    """The log, and a copy of each finished run at Weights & Biases: a mirror, never the record."""

    name: str = "wandb"
    mode: str | None = choice(None, "online", "offline", "disabled")  # null: what WANDB_MODE says, else online
    project: str | None = None  # null: what WANDB_PROJECT or wandb's own settings say, else leadscore
    entity: str | None = None  # null: what WANDB_ENTITY or wandb's own settings say, else the key's own
    tags: list[str] = field(default_factory=list)  # empty: what WANDB_TAGS says
    predictions: bool = False  # copy each lead's prediction too: lead data leave the house
    hash_ids: bool = True  # a copied prediction names its lead by a keyed hash
    required: bool = False  # a copy that fails makes the run's command fail, after all else is written
    timeout: str = duration("30s")  # a run waits no longer for its copy


@dataclass
class ComputeConfig:
    """Where a run computes, and what it keeps so that the next one need not: nothing here changes a number."""

    name: str = MISSING
    cache: bool = unhashed(True)  # keep prepared tables and feature columns on disk and use them again
    cache_dir: str | None = unhashed(None)  # null: leadscore in $XDG_CACHE_HOME, else in ~/.cache
    cache_limit_gb: float = unhashed(20.0, above=0)  # what was not used for longest goes first
    workers: int = unhashed(1, at_least=1)  # processes for feature functions


@dataclass
class DaskCompute(ComputeConfig):
    """The processes of a Dask cluster compute features and predictions; every number is what one machine gives."""

    name: str = "dask"
    scheduler: str | None = unhashed(None)  # tcp://HOST:PORT of a cluster that runs; null: one on this machine
    workers: int = unhashed(2, at_least=1)  # processes of the cluster on this machine
    threads: int = unhashed(1, at_least=1)  # of each of them; feature functions then run side by side in one process
    memory_gb: float = unhashed(2.0, above=0)  # of each of them; above it a process is stopped and its work done again
    timeout: str = kept_as("duration", "30s")  # how long a scheduler, or a cluster without workers, is waited for


@dataclass
class MetricsConfig:
    """What is measured besides the metrics that every run has; none of it changes a prediction."""

    resamples: int = number(2_000, at_least=100)  # of leads, for intervals
    recalls: list[float] = field(default_factory=lambda: [0.5, 0.8, 0.9])  # precision where so many are found
    top_shares: list[float] = field(default_factory=lambda: [0.05, 0.1, 0.2, 0.5])  # lift, and what is found there
    slices: list[str] = field(default_factory=list)  # categories of data.known_at_creation, as in [country, source]
    capacity: int | None = number(None, at_least=1)  # calls a week
    value: float | None = None  # of a conversion that a call catches, in `currency`
    cost: float = 0.0  # of a call
    currency: str | None = None  # null: data.currency


@dataclass
class ChecksConfig:
    """What a run is asked at its end; none of it changes a number."""

    mute: list[str] = field(default_factory=list)  # codes that are recorded and not heard, as in [LS004]


@dataclass
class Config:
    """One whole run."""

    data: DataConfig = MISSING
    window: WindowConfig = MISSING
    definitions: dict[str, str] = field(default_factory=dict)  # concept -> the definition meant
    features: dict[str, Any] = field(default_factory=dict)  # feature name -> its parameters
    model: ModelConfig = MISSING
    search: SearchConfig = field(default_factory=SearchConfig)
    validation: ValidationConfig = MISSING
    tracking: TrackingConfig = MISSING
    compute: ComputeConfig = MISSING
    plugins: list[str] = field(default_factory=list)  # modules that register features and models
    seed: int = number(0, at_least=0)
    notes: str = ""
    validate_only: bool = False  # show the run, its folds and counts, and stop
    report: bool = True
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    bands: BandsConfig = field(default_factory=BandsConfig)
    checks: ChecksConfig = field(default_factory=ChecksConfig)
    sweep: SweepConfig = field(default_factory=SweepConfig)
    audit: str = choice("sample", "sample", "full", "off")  # are features what they declare? tried on a few leads
    # Which sets were chosen, for people to read; Hydra does not see it and nothing depends on it.
    feature_sets: list[str] = field(default_factory=list, metadata={"omegaconf_ignore": True})


# Group -> choice of `schema/GROUP` -> its dataclass.
SCHEMAS: dict[str, dict[str, type]] = {
    "data": {"files": FilesData, "demo": DemoData},
    "window": {"delay": DelayWindow, "snapshots": SnapshotsWindow, "given": GivenWindow},
    "model": {
        "logistic": LogisticModel,
        "lightgbm": LightgbmModel,
        "hist_gradient_boosting": HistGradientBoostingModel,
        "ensemble": EnsembleModel,
        "baseline": BaselineModel,
    },
    "search": {"none": SearchConfig, "random": RandomSearch, "tpe": TpeSearch},
    "validation": {
        "holdout": HoldoutValidation,
        "rolling": RollingValidation,
        "grouped": GroupedValidation,
        "random": RandomValidation,
    },
    "tracking": {"csv": TrackingConfig, "none": TrackingConfig, "wandb": WandbTracking},
    "compute": {"local": ComputeConfig, "dask": DaskCompute},
}
