"""From a feature set's entry to features: an aggregate's keys are read, checked and put in one spelling.

    logins: {aggregate: count, event_type: login, lookback: [7d, 30d]}

gives `logins_7d` and `logins_30d`; `register_aggregate` takes the same keys from Python.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import fields
from typing import Any

from leadscore.errors import FeatureError, did_you_mean, raise_all
from leadscore.features.aggregates import Aggregate, Filter, aggregate_feature, attribute_feature
from leadscore.features.kinds import KINDS
from leadscore.features.local import LEAD, WHEN, is_zone
from leadscore.features.registry import FEATURES, Feature, register

__all__ = ["entry_features", "register_aggregate"]

KEYS = [field.name for field in fields(Aggregate)]
FILTER_KEYS = [field.name for field in fields(Filter)]


def register_aggregate(name: str, aggregate: str, **spec: Any) -> list[Feature]:
    """Declare aggregates in Python; the keys are those of a feature set's entry.

    Examples
    --------
    >>> declared = register_aggregate("visits_example", "count", event_type="session", lookback=["7d", "30d"])
    >>> [FEATURES.pop(each.name).meaning for each in declared]
    ['number of session events in the 7d before the score', 'number of session events in the 30d before the score']
    """
    built = entry_features(name, {"aggregate": aggregate, **spec}, {})
    for each in built:
        register(FEATURES, each)
    return built


def entry_features(
    name: str, entry: Mapping[str, Any], attributes: Mapping[str, str], numbers: Collection[str] = ("amount",)
) -> list[Feature]:
    """Build the features of one entry with `aggregate`: one, or one for each lookback or attribute.

    Parameters
    ----------
    name : str
        The entry's key.
    entry : mapping
        Its keys and values, as YAML gives them.
    attributes : mapping of str to str
        `data.known_at_creation`, for the aggregates `attribute` (one column) and `attributes` (all).
    numbers : collection of str
        The event columns that are numbers.

    Raises
    ------
    FeatureError
        With every key that is unknown or of the wrong type.
    """
    where = f"features.{name}"
    if entry["aggregate"] in ("attribute", "attributes"):
        return _attributes(name, entry, attributes, where)
    raise_all(FeatureError, list(_problems(entry, where, attributes)))
    lookbacks = entry.get("lookback")
    if not isinstance(lookbacks, list | tuple):
        return [aggregate_feature(name, _spec(entry, lookbacks), where, numbers)]
    return [aggregate_feature(f"{name}_{each}", _spec(entry, each), where, numbers) for each in lookbacks]


def _problems(entry: Mapping[str, Any], where: str, attributes: Mapping[str, str]) -> Iterator[str]:
    for key in entry:
        if key not in KEYS:
            yield f"{where}: unknown key '{key}'. {did_you_mean(str(key), KEYS, 'Keys of an aggregate')}"
    kind, column = entry.get("aggregate"), entry.get("column")
    if not isinstance(kind, str) or kind not in KINDS:
        known = did_you_mean(str(kind), [*KINDS, "attribute", "attributes"], "Aggregates")
        yield f"{where}.aggregate: unknown aggregate {kind!r}. {known}"
    if column is not None and not isinstance(column, str):
        yield f"{where}.column: {column!r} is not one column's name"
    yield from _filter_problems(entry, where, attributes)
    for key in ("lookback", "recent"):
        if entry.get(key) is not None and not _words(entry[key]):
            yield f"{where}.{key}: {entry[key]!r} names no duration"
    yield from _part_problems(entry, where, attributes)


def _part_problems(entry: Mapping[str, Any], where: str, attributes: Mapping[str, str]) -> Iterator[str]:
    """Check the mappings inside an entry: the share's events, the two sides of a ratio."""
    for key in ("of", "numerator", "denominator"):
        part = entry.get(key)
        if part is None:
            continue
        if not isinstance(part, Mapping) or not part:
            example = "{event_type: session}" if key == "of" else "{aggregate: count, event_type: session}"
            yield f"{where}.{key}: {part!r} is not a mapping, as in {example}"
        elif key == "of":
            for unknown in sorted(set(part) - set(FILTER_KEYS)):
                yield f"{where}.of: unknown key '{unknown}'. {did_you_mean(str(unknown), FILTER_KEYS, 'Keys')}"
            yield from _filter_problems(part, f"{where}.of", attributes)
        else:
            yield from _problems(part, f"{where}.{key}", attributes)
            if isinstance(part.get("lookback"), list | tuple):
                yield f"{where}.{key}.lookback: {part['lookback']!r} is not one duration"


def _filter_problems(entry: Mapping[str, Any], where: str, attributes: Mapping[str, str]) -> Iterator[str]:
    filters, when, zone = entry.get("where") or {}, entry.get("when"), entry.get("zone", "UTC")
    if not isinstance(filters, Mapping):
        yield f"{where}.where: {filters!r} is not a mapping of columns to values, as in {{plan: [team]}}"
    else:
        for key, value in filters.items():
            if not _words(value):
                yield f"{where}.where.{key}: {value!r} names no value"
    if entry.get("event_type") is not None and not _words(entry["event_type"]):
        yield f"{where}.event_type: {entry['event_type']!r} names no event type"
    if when is not None and when not in WHEN:
        yield f"{where}.when: {when!r} is no time that is known. {did_you_mean(str(when), WHEN, 'Allowed')}"
    if when is None and "zone" in entry:
        yield f"{where}.zone: {zone!r} says whose clock `when` goes by, and there is no `when`"
    column = str(zone).removeprefix(LEAD)
    if str(zone).startswith(LEAD):
        if attributes.get(column) != "category":
            known = did_you_mean(column, [name for name, kind in attributes.items() if kind == "category"], "Listed")
            yield f"{where}.zone: '{column}' is no category of data.known_at_creation. {known}"
    elif not is_zone(str(zone)):
        yield f"{where}.zone: {zone!r} is no zone of the IANA database, such as Europe/Berlin, nor {LEAD}COLUMN"


def _spec(entry: Mapping[str, Any], lookback: Any) -> Aggregate:
    chosen = _filter(entry)
    parts = {
        key: _spec(entry[key], entry[key].get("lookback")) for key in ("numerator", "denominator") if entry.get(key)
    }
    return Aggregate(
        aggregate=entry["aggregate"],
        event_type=chosen.event_type,
        column=entry.get("column"),
        where=chosen.where,
        lookback=None if lookback is None else str(lookback),
        when=chosen.when,
        zone=chosen.zone,
        of=_filter(entry["of"]) if entry.get("of") else None,
        recent=None if entry.get("recent") is None else str(entry["recent"]),
        **parts,
    )


def _filter(entry: Mapping[str, Any]) -> Filter:
    where = {str(column): _words(values) for column, values in (entry.get("where") or {}).items()}
    types, zone = _words(entry.get("event_type")), entry.get("zone", "UTC")
    return Filter(types, tuple(sorted(where.items())), entry.get("when"), zone)


def _words(value: Any) -> tuple[str, ...]:
    """Return one value or a list of values as sorted texts; anything else as none."""
    listed = [value] if isinstance(value, str | int | float) else value
    if not isinstance(listed, list | tuple) or not all(isinstance(each, str | int | float) for each in listed):
        return ()
    return tuple(sorted({str(each) for each in listed}))


def _attributes(name: str, entry: Mapping[str, Any], attributes: Mapping[str, str], where: str) -> list[Feature]:
    wanted = set(entry) - {"aggregate"}
    if entry["aggregate"] == "attributes":
        if wanted:
            raise FeatureError(f"{where}: the aggregate attributes takes no {', '.join(sorted(map(str, wanted)))}")
        return [attribute_feature(column, column, kind) for column, kind in attributes.items()]
    column = entry.get("column")
    if wanted != {"column"} or not isinstance(column, str):
        raise FeatureError(f"{where}: the aggregate attribute takes column, one column's name, and only that")
    if column not in attributes:
        known = did_you_mean(column, attributes, "Listed")
        raise FeatureError(f"{where}: '{column}' is not in data.known_at_creation. {known}")
    return [attribute_feature(name, column, attributes[column])]
