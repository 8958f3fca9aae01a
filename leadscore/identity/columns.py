"""What decides a column's values, as one hash: the key under which an earlier build may have left it."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from leadscore.identity.asked import digest
from leadscore.identity.engine import engine_hash
from leadscore.identity.source import code_hash
from leadscore.identity.surroundings import environment

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
        inputs = {argument: keys[needed.name] for argument, needed in step.inputs.items()}
        keys[step.feature.name] = digest({**around, "inputs": inputs, **_asked(step)})
    return keys


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
