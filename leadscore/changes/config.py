"""What two configs say differently, as dotted keys."""

import dataclasses
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from leadscore.config.schema import HASHED_GROUPS, SCHEMAS

__all__ = ["ABSENT", "Change", "asked", "asks", "changes", "is_asked", "searches"]

ABSENT = "-"  # a key that one run does not have


@dataclass(frozen=True)
class Change:
    """One dotted key whose value differs; `-` stands for a key that is not there."""

    key: str
    a: Any
    b: Any

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return dataclasses.asdict(self)


def flat(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and values of a tree of mappings; a list is a value, and so is an empty mapping.

    Examples
    --------
    >>> dict(flat({"model": {"C": 1.0}, "features": {"logins": {}}}))
    {'model.C': 1.0, 'features.logins': {}}
    """
    if not isinstance(node, Mapping) or not node:
        yield path, node
        return
    for key, value in node.items():
        yield from flat(value, f"{path}.{key}" if path else str(key))


def asks(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recorded config as one of today asks it: without ranges, where nothing searches them.

    A run from before there was a search did not search.
    """
    whole = {"search": {"name": "none"}, **config}
    return dict(whole) if searches(whole) else _without_ranges(whole)


def searches(config: Mapping[str, Any]) -> bool:
    """Whether a run's parameters were searched."""
    search = config.get("search") or {}
    return bool(search.get("name", "none") != "none")


def _without_ranges(node: Any) -> Any:
    if not isinstance(node, Mapping):
        return node
    return {key: _without_ranges(value) for key, value in node.items() if key != "search_space"}


def changes(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Change]:
    """Return the keys whose values differ, sorted."""
    before, after = dict(flat(a)), dict(flat(b))
    keys = sorted({*before, *after})
    found = [Change(key, before.get(key, ABSENT), after.get(key, ABSENT)) for key in keys]
    return [each for each in found if each.a != each.b]


def is_asked(key: str) -> bool:
    """Whether a key decides what a run computes: it is hashed, or is the seed.

    Examples
    --------
    >>> [is_asked(key) for key in ("model.C", "seed", "notes", "model.num_threads", "data.leads.path")]
    [True, True, False, False, False]
    """
    group, _, rest = key.partition(".")
    if rest.startswith("members."):  # of an ensemble: a model's keys again
        rest = rest.split(".", 2)[-1]
    return key == "seed" or (group in HASHED_GROUPS and rest not in _unhashed(group))


def _unhashed(group: str) -> set[str]:
    return {key for schema in SCHEMAS.get(group, {}).values() for key in _unhashed_fields(schema)}


def _unhashed_fields(schema: type, path: str = "") -> Iterator[str]:
    for field in dataclasses.fields(schema):
        if not field.metadata.get("identity", True) and not field.metadata.get("searched"):
            yield path + field.name
        for nested in (field.type, *typing.get_args(field.type)):
            if isinstance(nested, type) and dataclasses.is_dataclass(nested):
                yield from _unhashed_fields(nested, f"{path}{field.name}.")


def asked(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of a config that decides what is computed, flat."""
    return {key: value for key, value in flat(asks(config)) if is_asked(key)}
