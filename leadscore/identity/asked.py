"""`config_hash`: what was asked, and nothing that cannot change the answer.

A value equal to its schema's default is left out, so a key that a later version adds, with a default, renames no
old run. The price: the default's value may never change in silence; then `HASH_VERSION` moves.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from omegaconf import MISSING

from leadscore.config.ranges import declared_space
from leadscore.config.schema import HASHED_GROUPS, Config

__all__ = ["HASH_VERSION", "canonical_config", "config_hash", "digest", "parts"]

HASH_VERSION = 1


def canonical_config(config: Config, features: Mapping[str, Any]) -> dict[str, Any]:
    """Return the hashed part of a config, defaults left out.

    Parameters
    ----------
    config : Config
    features : mapping of str to mapping
        The config's features as the plan understands them (`Plan.asked`): parameters that differ from the
        function's own defaults, aggregates in one spelling.
    """
    nodes = {group: getattr(config, group) for group in HASHED_GROUPS}
    canonical = {group: _changed(node) for group, node in nodes.items() if dataclasses.is_dataclass(node)}
    if config.search.name == "none":  # ranges that nobody searches ask nothing
        del canonical["search"]
    else:
        canonical["search"]["space"] = declared_space(config.model)
    return {**canonical, "features": dict(features), "definitions": dict(config.definitions)}


def config_hash(canonical: Mapping[str, Any]) -> str:
    """Return the sha256 (64 hex) of a canonical config and the hash's version."""
    return digest({"hash_version": HASH_VERSION, **canonical})


def parts(canonical: Mapping[str, Any]) -> dict[str, str]:
    """Return one hash for each group, so that a reviewer sees which part moved."""
    grouped = {name: canonical[name] for name in ("window", "model", "validation", "data")}
    if "search" in canonical:
        grouped["model"] = {"model": canonical["model"], "search": canonical["search"]}
    grouped["features"] = {"features": canonical["features"], "definitions": canonical["definitions"]}
    return {name: digest(node) for name, node in sorted(grouped.items())}


def digest(value: Any) -> str:
    """Return the sha256 (64 hex) of a value's canonical JSON.

    Examples
    --------
    >>> digest({"b": 1.0, "a": "x"}) == digest({"a": "x", "b": 1.0})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _changed(node: Any) -> dict[str, Any]:
    kept = {}
    for field in dataclasses.fields(node):
        if not field.metadata.get("identity", True):
            continue
        value, default = getattr(node, field.name), _default(field)
        if dataclasses.is_dataclass(value):
            # A nested node is left out when nothing in it differs; an optional one is kept by being there.
            nested = _changed(value)
            if nested or default is None:
                kept[field.name] = nested
        elif isinstance(value, dict) and any(map(dataclasses.is_dataclass, value.values())):
            kept[field.name] = {key: _changed(each) for key, each in value.items()}
        elif field.name == "name" or value != default:
            kept[field.name] = value
    return kept


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return None if field.default == MISSING else field.default
