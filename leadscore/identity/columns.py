"""What decides a column's values, as one hash: the key under which an earlier build may have left it."""

import hashlib
import inspect
import sys
from collections.abc import Mapping
from dataclasses import fields
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType
from typing import TYPE_CHECKING, Any

from leadscore.identity.asked import digest
from leadscore.identity.engine import engine_hash
from leadscore.identity.reach import is_ours, top_level
from leadscore.identity.source import code_hash
from leadscore.identity.surroundings import PACKAGES, environment
from leadscore.sealed import zone_rules

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.features.plan import Plan, Planned
    from leadscore.tables import Tables

__all__ = ["column_keys", "declared"]


def column_keys(plan: "Plan", content: str, tables: "Tables", observations: "pd.DataFrame") -> dict[str, str]:
    """Return a key for each feature and definition of a plan.

    Parameters
    ----------
    plan : Plan
    content : str
        `data_hash` of the tables.
    tables : Tables
    observations : DataFrame
        `as_of` and `lead_row`, in the order of the column's values.
    """
    around = {"engine": engine_hash(), "environment": environment(), "data": content}
    around["observations"] = _observations_hash(tables, observations)
    keys: dict[str, str] = {}
    for step in plan.steps:  # inputs stand before their users
        outside = _outside(step)
        if outside is not None and all(needed.name in keys for needed in step.inputs.values()):
            inputs = {argument: keys[needed.name] for argument, needed in step.inputs.items()}
            keys[step.feature.name] = digest({**around, "inputs": inputs, "outside": outside, **_asked(step)})
    return keys


def _outside(step: "Planned") -> dict[str, Any] | None:
    """Return what else a value depends on: zones' rules, other installed packages; None where nobody can tell.

    A function that reads the calendar of some zone, or the process's environment, is not kept.
    """
    each = step.feature
    if each.aggregate is not None:
        zones = {some.zone for some in each.aggregate.filters if some.when is not None} - {"UTC"}
        return None if any(zone.startswith("lead.") for zone in zones) else {zone: zone_rules(zone) for zone in zones}
    if each.calendar == "date":
        return None
    shipped = str(getattr(each.function, "__module__", "")).startswith("leadscore.")
    return {} if shipped else _other_packages(each.function)


def _other_packages(function: Any) -> dict[str, Any] | None:
    """Return the versions of installed packages that a function's module uses; None where one has no version."""
    while isinstance(function, partial):
        function = function.func
    scope = getattr(function, "__globals__", {})
    module = sys.modules.get(str(getattr(function, "__module__", "")))
    if module is None or _reads_environment(module):
        return None
    home, known = top_level(module.__name__), {"leadscore", "builtins", *sys.stdlib_module_names, *PACKAGES}
    names = {value.__name__ if isinstance(value, ModuleType) else _module_of(value) for value in scope.values()}
    others = {top_level(name) for name in names if not is_ours(name, home)} - known
    versions: dict[str, Any] = {}
    for other in sorted(others):
        try:
            versions[other] = version(other)
        except PackageNotFoundError:
            versions[other] = getattr(sys.modules.get(other), "__version__", None)
        if versions[other] is None:
            return None
    return versions


def _module_of(value: Any) -> str:
    """Return the module that a value, or its type, comes from."""
    return str(getattr(value, "__module__", None) or type(value).__module__)


def _reads_environment(module: ModuleType) -> bool:
    try:
        source = inspect.getsource(module)
    except (OSError, TypeError):  # a prompt: what else is there is not known
        return True
    return "environ" in source or "getenv" in source


def _asked(step: "Planned") -> Mapping[str, Any]:
    return {"code": code_hash([declared(step.feature)]), "parameters": {k: repr(v) for k, v in step.parameters.items()}}


def declared(feature: Any) -> tuple[Any, dict[str, Any]]:
    """Return a feature's function and all it declares; its meaning, a docstring's line, aside."""
    names = [each.name for each in fields(feature) if each.name not in ("function", "meaning")]
    return feature.function, {name: getattr(feature, name) for name in names}


def _observations_hash(tables: "Tables", observations: "pd.DataFrame") -> str:
    """Hash who is observed when, in order; `data_hash` knows the tables' rows but not in which order they stand."""
    whole = hashlib.sha256()
    for user_id in tables.lead_ids:
        whole.update(user_id.encode() + b"\0")
    whole.update(observations["as_of"].astype("int64").to_numpy().tobytes())
    whole.update(observations["lead_row"].to_numpy().astype("<i8").tobytes())
    return whole.hexdigest()
