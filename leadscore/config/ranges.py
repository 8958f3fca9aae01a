"""What a model's `search_space` says: for each parameter the values that a search may try.

A number has two ends, both allowed: `[4, 64]`, or `[4, 64, log]` where a step is a factor. Anything else has a list of
words: `[none, balanced]`.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leadscore.config.fields import outside
from leadscore.config.models import ModelConfig
from leadscore.errors import did_you_mean

__all__ = ["Range", "declared_space", "range_problems", "ranges_of", "value_of", "with_values"]

SPACE = "search_space"
_FORMS = "[low, high] or [low, high, log]"


@dataclass(frozen=True)
class Range:
    """What may be tried of one parameter.

    Attributes
    ----------
    low, high : int, float or None
        Both allowed; whole numbers where the parameter is one.
    log : bool
    words : tuple
        Instead of numbers.
    """

    low: Any = None
    high: Any = None
    log: bool = False
    words: tuple[Any, ...] = ()

    def holds(self, value: Any) -> bool:
        """Whether a value is one that may be tried."""
        if self.words:
            return value in self.words
        return _is_number(value) and self.low <= value <= self.high


def ranges_of(model: ModelConfig) -> dict[str, Range]:
    """Return the ranges of a model and of its members, by the parameter's key below `model`.

    Examples
    --------
    >>> from leadscore.config.models import EnsembleModel, LogisticModel
    >>> line = LogisticModel(search_space={"C": [0.1, 10, "log"]})
    >>> ranges_of(line)
    {'C': Range(low=0.1, high=10.0, log=True, words=())}
    >>> list(ranges_of(EnsembleModel(members={"line": line})))
    ['members.line.C']
    """
    return {
        f"{prefix}{name}": _range(part, name, entry)
        for prefix, part in _parts(model)
        for name, entry in sorted(part.search_space.items())
    }


def range_problems(model: ModelConfig) -> Iterator[str]:
    """Yield a sentence for each entry that is no range of a parameter."""
    for prefix, part in _parts(model):
        for name, entry in part.search_space.items():
            try:
                _range(part, name, entry)
            except ValueError as error:
                yield f"model.{prefix}{SPACE}.{name}: {error}"


def declared_space(model: ModelConfig) -> dict[str, Any]:
    """Return the ranges in one spelling, as JSON values."""
    return {
        key: list(each.words) if each.words else [each.low, each.high, *(["log"] if each.log else [])]
        for key, each in ranges_of(model).items()
    }


def value_of(model: ModelConfig, key: str) -> Any:
    """Return a parameter by its key below `model`."""
    *way, name = key.split(".", 2) if key.startswith("members.") else (key,)
    part: Any = model.members[way[1]] if way else model  # type: ignore[attr-defined]
    return getattr(part, name)


def with_values(model: ModelConfig, values: Mapping[str, Any]) -> ModelConfig:
    """Return the model with other values of some parameters.

    Examples
    --------
    >>> from leadscore.config.models import LogisticModel
    >>> with_values(LogisticModel(), {"C": 0.5}).C
    0.5
    """
    members: dict[str, Any] = dict(getattr(model, "members", {}))
    for label, member in members.items():
        prefix = f"members.{label}."
        inside = {key.removeprefix(prefix): value for key, value in values.items() if key.startswith(prefix)}
        members[label] = dataclasses.replace(member, **inside)
    own: dict[str, Any] = {key: value for key, value in values.items() if not key.startswith("members.")}
    return dataclasses.replace(model, **own | ({"members": members} if members else {}))


def _parts(model: ModelConfig) -> Iterator[tuple[str, ModelConfig]]:
    yield "", model
    for label, member in sorted(getattr(model, "members", {}).items()):
        yield f"members.{label}.", member


def _range(model: ModelConfig, name: str, entry: Any) -> Range:
    """Return the range that an entry is, or say in a ValueError why it is none."""
    fields, kinds = {each.name: each for each in dataclasses.fields(model)}, _kinds(type(model))
    if name not in kinds:
        raise ValueError(_no_parameter(model, name, fields, kinds))
    if not isinstance(entry, list):
        raise ValueError(f"{entry!r} is no list: a number is searched in {_FORMS}, other values in a list of them")
    kind, metadata = kinds[name], fields[name].metadata
    return _numbers(entry, kind, metadata) if kind in (int, float) else _words(entry, kind, metadata)


def _kinds(schema: type[ModelConfig]) -> dict[str, type]:
    """Return the parameters that a search can set, with their types."""
    hints = typing.get_type_hints(schema)
    kinds: dict[str, type] = {}
    for field in dataclasses.fields(schema):
        hint = hints[field.name]
        given = typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)
        kind = next((each for each in (int, float, bool, str) if each in given), None)
        if kind and field.name != "name" and field.metadata.get("identity", True):
            kinds[field.name] = kind
    return kinds


def _no_parameter(model: ModelConfig, name: str, fields: Mapping[str, Any], kinds: Mapping[str, type]) -> str:
    if name not in fields:
        return f"{model.name} has no such parameter. {did_you_mean(name, kinds, 'Searched can be')}"
    if name != SPACE and not fields[name].metadata.get("identity", True):
        return "it changes no prediction, so there is nothing to search"
    return f"it is no number, word or yes and no, and cannot be searched. Searched can be: {', '.join(sorted(kinds))}."


def _numbers(entry: list[Any], kind: type, metadata: Mapping[str, Any]) -> Range:
    ends, scale = entry[:2], entry[2:]
    if len(ends) < 2 or len(scale) > 1 or not all(map(_is_number, ends)) or any(map(_is_number, scale)):
        raise ValueError(f"{entry} has no two ends: a number is searched in {_FORMS}")
    if scale and scale[0] != "log":
        raise ValueError(f"{scale[0]!r} is no scale. {did_you_mean(str(scale[0]), ['log'], 'Allowed')}")
    if kind is int and not all(float(end).is_integer() for end in ends):
        raise ValueError(f"{entry}: the parameter is a whole number, and so are its ends")
    low, high = map(kind, ends)
    for end in (low, high):
        if problem := outside(end, metadata):
            raise ValueError(problem)
    if low >= high:
        raise ValueError(f"{low} is not below {high}: the low end comes first, and both are allowed")
    if scale and low <= 0:
        raise ValueError(f"log is a step by factors, and {low} is not above 0")
    return Range(low, high, bool(scale))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _words(entry: list[Any], kind: type, metadata: Mapping[str, Any]) -> Range:
    allowed = metadata.get("choices")
    for word in entry:
        if allowed and word not in allowed:
            raise ValueError(f"{word!r} is not one of its words. {did_you_mean(str(word), allowed, 'Allowed')}")
        if not isinstance(word, kind):
            raise ValueError(f"{word!r} is not {'yes or no (true, false)' if kind is bool else 'text'}")
    if len(set(entry)) < 2 or len(set(entry)) < len(entry):
        raise ValueError(f"{entry} are not two or more different values: there is nothing to choose from")
    return Range(words=tuple(entry))
