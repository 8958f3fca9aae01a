"""Values that are fine alone and wrong together, and maps whose words are ours."""

import os
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from leadscore.config.bands import CUTS, BandsConfig
from leadscore.config.ranges import range_problems, ranges_of
from leadscore.config.schema import (
    SCHEMAS,
    ComputeConfig,
    Config,
    DaskCompute,
    DataConfig,
    DelayWindow,
    FilesData,
    GroupedValidation,
    HoldoutValidation,
    RandomValidation,
    RollingValidation,
    SnapshotsWindow,
    TrackingConfig,
    WandbTracking,
)
from leadscore.errors import did_you_mean
from leadscore.times import parse_duration, parse_instant

__all__ = ["compute_contradictions", "contradictions", "data_contradictions"]

STATES = ("open", "converted", "closed")
KINDS = ("number", "category")


def contradictions(config: Config) -> list[str]:
    """Return one sentence for each contradiction in a config whose single values are valid."""
    return [
        *_names(config),
        *_window(config),
        *_validation(config),
        *data_contradictions(config.data),
        *_search(config),
        *_metrics(config),
        *_bands(config.bands),
        *_features(config),
        *_root(Path(config.tracking.root)),
        *_tracking(config.tracking),
        *compute_contradictions(config.compute),
        *_machines(config),
    ]


def _names(config: Config) -> Iterator[str]:
    """Find a name that was edited under the choice it belongs to: the keys beside it are another choice's."""
    kinds = {
        "window": config.window.name,
        "validation": config.validation.name,
        "tracking": config.tracking.name,
        "search": config.search.name,
        "compute": config.compute.name,
        "data": config.data.source,
    }
    for group, name in kinds.items():
        if SCHEMAS[group].get(name) is not type(getattr(config, group)):
            key = "source" if group == "data" else "name"
            yield (
                f"{group}.{key} {name} does not belong to the other keys of {group}: choose with {group}=CHOICE "
                f"(a file of your own keeps the {key} of the schema it names)"
            )


def _root(root: Path) -> Iterator[str]:
    """Find a tracking root that cannot become a folder, before Hydra trips over it."""
    try:
        existing = next(path for path in (root, *root.absolute().parents) if path.exists())
    except (OSError, ValueError) as error:
        yield f"tracking.root cannot be a folder: {getattr(error, 'strerror', None) or error}"
        return
    if not existing.is_dir():
        yield f"tracking.root {root}: {existing} is not a folder"
    elif not os.access(existing, os.W_OK):
        yield f"tracking.root {root}: {existing} cannot be written"


def _tracking(tracking: TrackingConfig) -> Iterator[str]:
    if isinstance(tracking, WandbTracking) and not parse_duration(tracking.timeout):
        yield "tracking.timeout must be longer than 0d"


def _machines(config: Config) -> Iterator[str]:
    model, compute = config.model, config.compute
    for label, member in getattr(model, "members", {}).items():
        if getattr(member, "machines", 1) > 1:
            yield f"model.members.{label}.machines: only a model of its own is grown by several machines"
    machines = getattr(model, "machines", 1)
    if machines == 1:
        return
    if not isinstance(compute, DaskCompute):
        yield f"model.machines {machines} needs the workers of a cluster: choose compute=dask"
    elif compute.scheduler is None and compute.workers < machines:
        has = f"the cluster on this machine has (compute.workers {compute.workers})"
        yield f"model.machines {machines} is more than {has}"
    stopping = getattr(model, "early_stopping", None)
    if stopping is not None:
        yield (
            f"model.early_stopping {stopping}: each of model.machines {machines} would stop by its own rows; state "
            f"model.n_estimators"
        )


def compute_contradictions(compute: ComputeConfig) -> Iterator[str]:
    """Yield a sentence for each contradiction in where a run computes."""
    if not isinstance(compute, DaskCompute):
        return
    if not parse_duration(compute.timeout):
        yield "compute.timeout must be longer than 0d"
    if compute.scheduler is not None and not re.fullmatch(r"[a-z]+://\S+:\d+", compute.scheduler):
        yield (
            f"compute.scheduler {compute.scheduler} is no address of a scheduler, such as tcp://10.0.0.5:8786; "
            f"null starts one on this machine"
        )


def _window(config: Config) -> Iterator[str]:
    window = config.window
    if window.start and window.end and parse_instant(window.start) >= parse_instant(window.end):
        yield f"window.start {window.start} is not before window.end {window.end}: no observation can lie between them"
    if not parse_duration(window.horizon) and window.name != "given":
        yield "window.horizon 0d: an outcome needs time to happen; only window=given may have none"
    for key in ("every", "max_age", "floor"):
        length = getattr(window, key, None)
        if length is not None and not parse_duration(length):
            yield f"window.{key} must be longer than 0d"
    has_as_of = isinstance(config.data, FilesData) and "as_of" in config.data.leads.columns
    if isinstance(window, DelayWindow | SnapshotsWindow) and has_as_of:
        yield f"data.leads.columns maps as_of, but window={window.name} makes its own: choose window=given or unmap it"


def _validation(config: Config) -> Iterator[str]:
    validation = config.validation
    if isinstance(validation, HoldoutValidation) and validation.length and validation.start:
        yield "validation.length and validation.start both set the border: give one of them"
    for key in ("length", "train_length", "seal"):
        length = getattr(validation, key, None)
        if length is not None and not parse_duration(length):
            yield f"validation.{key} must be longer than 0d"
    if isinstance(validation, GroupedValidation):
        allowed = ("user_id", *config.data.known_at_creation)
        if validation.group not in allowed:
            hint = did_you_mean(validation.group, allowed, "user_id and data.known_at_creation")
            yield f"validation.group {validation.group} is no column that groups leads. {hint}"
    embargo = timedelta(0) if validation.embargo == "auto" else parse_duration(validation.embargo)
    by_lot = isinstance(validation, GroupedValidation | RandomValidation)
    if by_lot and validation.embargo != "0d" and not validation.seal:
        yield (
            f"validation.embargo {validation.embargo}: validation={validation.name} draws by lot and purges nothing, "
            f"so an embargo has no meaning there"
        )
    if isinstance(validation, RollingValidation) and validation.train_length:
        purged = parse_duration(config.window.horizon) + embargo
        if parse_duration(validation.train_length) <= purged:
            yield (
                f"validation.train_length {validation.train_length} is not longer than window.horizon "
                f"{config.window.horizon} plus validation.embargo {validation.embargo}: the purge leaves no row"
            )


def _search(config: Config) -> Iterator[str]:
    wrong = list(range_problems(config.model))
    yield from wrong
    if config.search.name != "none" and not wrong and not ranges_of(config.model):
        yield (
            f"search={config.search.name} has nothing to try: model.search_space of {config.model.name} is empty; it "
            f"names parameters with their ends, as in '+model.search_space={{PARAMETER: [LOW, HIGH]}}'"
        )


def _metrics(config: Config) -> Iterator[str]:
    asked, known = config.metrics, config.data.known_at_creation
    categories = [name for name, kind in known.items() if kind == "category"]
    for name in asked.slices:
        if name not in categories:
            yield f"metrics.slices: '{name}' is no category of data.known_at_creation. {did_you_mean(name, categories)}"
    for key in ("recalls", "top_shares"):
        for share in getattr(asked, key):
            if not 0 < share <= 1:
                yield f"metrics.{key}: {share:g} is no share: above 0 and at most 1"
    if asked.value is not None and asked.capacity is None:
        yield "metrics.value is given and metrics.capacity is not: a value is of so many calls a week"
    if asked.value is not None and asked.currency is None and config.data.currency is None:
        yield "metrics.value is given without a currency: state metrics.currency"


def _bands(bands: BandsConfig) -> Iterator[str]:
    key = CUTS[bands.cut]
    given: list[float] = list(getattr(bands, key))
    where = f"bands.{key} {[*given]} (bands.cut={bands.cut})"
    if len(given) != 3:
        yield f"{where}: three are needed, for A, B and C; D is the rest"
    elif any(value <= 0 for value in given):
        yield f"{where}: each must be above 0"
    elif bands.cut in ("lift", "probability") and not given[0] > given[1] > given[2]:
        yield f"{where}: A must lie above B, and B above C"
    elif bands.cut == "probability" and given[0] > 1:
        yield f"{where}: a probability is at most 1"
    elif bands.cut == "share" and sum(given) > 1:
        yield f"{where}: the shares of A, B and C add up to {sum(given):g}, more than all leads"


def data_contradictions(data: DataConfig) -> Iterator[str]:
    """Yield a sentence for each contradiction in what is said of the tables."""
    yield from _words("data.statuses", data.statuses, STATES)
    yield from _words("data.known_at_creation", data.known_at_creation, KINDS)
    for label, meaning in data.labels.items():
        if meaning not in (0, 1):
            yield f"data.labels.{label}: {meaning} is not 0 or 1"
    for currency, rate in data.rates.items():
        if rate <= 0:
            yield f"data.rates.{currency}: {rate} must be above 0"
        if currency == data.currency and rate != 1:
            yield f"data.rates.{currency}: {rate}; amounts are reported in {currency}, so its rate is 1"
    if data.rates and data.currency is None:
        yield "data.rates are given but data.currency is not: say which currency they convert to"
    if isinstance(data, FilesData):
        yield from _files(data)


def _files(data: FilesData) -> Iterator[str]:
    if data.timezone is not None:
        try:
            ZoneInfo(data.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            yield f"data.timezone {data.timezone!r} is not a zone of the IANA database, such as Europe/Berlin or UTC"
    if "row_order" in data.leads.columns.values() and data.row_order is None:
        yield "data.leads.columns maps a time to row_order, but data.row_order does not say its start and step"


def _words(key: str, mapping: dict[str, str], allowed: tuple[str, ...]) -> Iterator[str]:
    for name, word in mapping.items():
        if word not in allowed:
            yield f"{key}.{name}: {word!r} is not one of its words. {did_you_mean(str(word), allowed, 'Allowed')}"


def _features(config: Config) -> Iterator[str]:
    if not config.features:
        yield "features is empty: choose at least one set, as in features=base"
    for name, parameters in config.features.items():
        if not isinstance(parameters, dict):
            yield f"features.{name}: {parameters!r} is not a mapping of parameters; write {name}: {{}} when it has none"
