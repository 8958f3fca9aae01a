"""From a feature set's entry to features: an aggregate's keys are read, checked and put in one spelling.

    logins: {aggregate: count, event_type: login, lookback: [7d, 30d]}

gives `logins_7d` and `logins_30d`; `register_aggregate` takes the same keys from Python.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from leadscore.errors import FeatureError, did_you_mean, raise_all
from leadscore.features.aggregates import AGGREGATES, Aggregate, aggregate_feature, attribute_feature
from leadscore.features.registry import FEATURES, Feature, register

__all__ = ["entry_features", "register_aggregate"]

KEYS = [field.name for field in fields(Aggregate)]


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


def entry_features(name: str, entry: Mapping[str, Any], attributes: Mapping[str, str]) -> list[Feature]:
    """Build the features of one entry with `aggregate`: one, or one for each lookback or attribute.

    Parameters
    ----------
    name : str
        The entry's key.
    entry : mapping
        Its keys and values, as YAML gives them.
    attributes : mapping of str to str
        `data.known_at_creation`, for the aggregates `attribute` (one column) and `attributes` (all).

    Raises
    ------
    FeatureError
        With every key that is unknown or of the wrong type.
    """
    where = f"features.{name}"
    if entry["aggregate"] in ("attribute", "attributes"):
        return _attributes(name, entry, attributes, where)
    raise_all(FeatureError, _problems(entry, where))
    lookbacks = entry.get("lookback")
    if not isinstance(lookbacks, list | tuple):
        return [aggregate_feature(name, _spec(entry, lookbacks), where)]
    return [aggregate_feature(f"{name}_{each}", _spec(entry, each), where) for each in lookbacks]


def _problems(entry: Mapping[str, Any], where: str) -> list[str]:
    problems = [
        f"{where}: unknown key '{key}'. {did_you_mean(str(key), KEYS, 'Keys of an aggregate')}"
        for key in entry
        if key not in KEYS
    ]
    kind, column, filters = entry["aggregate"], entry.get("column"), entry.get("where") or {}
    if not isinstance(kind, str) or kind not in AGGREGATES:
        known = did_you_mean(str(kind), [*AGGREGATES, "attribute", "attributes"], "Aggregates")
        problems.append(f"{where}.aggregate: unknown aggregate {kind!r}. {known}")
    if column is not None and not isinstance(column, str):
        problems.append(f"{where}.column: {column!r} is not one column's name")
    if not isinstance(filters, Mapping):
        problems.append(f"{where}.where: {filters!r} is not a mapping of columns to values, as in {{plan: [team]}}")
    else:
        problems += [
            f"{where}.where.{key}: {value!r} names no value" for key, value in filters.items() if not _words(value)
        ]
    if entry.get("event_type") is not None and not _words(entry["event_type"]):
        problems.append(f"{where}.event_type: {entry['event_type']!r} names no event type")
    if entry.get("lookback") is not None and not _words(entry["lookback"]):
        problems.append(f"{where}.lookback: {entry['lookback']!r} names no duration")
    return problems


def _spec(entry: Mapping[str, Any], lookback: Any) -> Aggregate:
    filters = {str(column): _words(values) for column, values in (entry.get("where") or {}).items()}
    return Aggregate(
        aggregate=entry["aggregate"],
        event_type=_words(entry.get("event_type")),
        column=entry.get("column"),
        where=tuple(sorted(filters.items())),
        lookback=None if lookback is None else str(lookback),
    )


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
