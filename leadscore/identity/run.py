"""A run's `identity.json`: what is known before any work, and what is known once the data are read."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from leadscore.config.schema import Config
from leadscore.identity.asked import HASH_VERSION, canonical_config, config_hash, digest, parts
from leadscore.identity.columns import declared
from leadscore.identity.engine import engine_hash
from leadscore.identity.run_id import new_run_id
from leadscore.identity.source import Code, read_code
from leadscore.identity.surroundings import environment, git_state

if TYPE_CHECKING:
    from leadscore.features import Plan
    from leadscore.results import Windows

__all__ = ["begin", "code_of", "identity_of", "named", "with_content"]


def code_of(plan: "Plan", *models: type) -> Code:
    """Return the code of a plan's features and definitions and of the models' wrappers, by their names.

    What a feature declares counts with its function; `models` are the registered classes that `model=` names.
    """
    steps = {step.feature.name: declared(step.feature) for step in plan.steps}
    return read_code({**steps, **{f"model {getattr(model, 'name', model.__name__)}": model for model in models}})


def named(config: Config, plan: "Plan", code: Code) -> dict[str, Any]:
    """Return what of a run's identity is known before its data are read.

    Parameters
    ----------
    config : Config
    plan : Plan
    code : Code
        From `code_of`.
    """
    canonical = canonical_config(config, plan.asked)
    return {
        "hash_version": HASH_VERSION,
        "config_hash": config_hash(canonical),
        "parts": parts(canonical),
        "code_hash": code.hash,
        "engine_hash": engine_hash(),
        "seed": config.seed,
        "environment": environment(("optuna",) if config.search.name != "none" else ()),
    }


def begin(config: Config, plan: "Plan", code: Code, git: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return what names a run before its data are read.

    Parameters
    ----------
    config : Config
    plan : Plan
    code : Code
        From `code_of`.
    git : mapping, optional
        From `git_state`; default: asked now.
    """
    return {
        "run_id": new_run_id(),
        "status": "running",
        "started": datetime.now(UTC).isoformat(timespec="microseconds"),
        "feature_sets": list(config.feature_sets),
        **named(config, plan, code),
        "git": git_state() if git is None else dict(git),
    }


def identity_of(named: Mapping[str, Any], content: str) -> str:
    """Return the hash that names a run: of all that `named` told, and of its data's `data_hash`."""
    parts = {key: named[key] for key in ("config_hash", "code_hash", "engine_hash", "environment", "seed")}
    return digest({**parts, "data_hash": content})


def with_content(identity: dict[str, Any], windows: "Windows", content: str | None = None) -> dict[str, Any]:
    """Return the identity with what only the data can tell: `data_hash`, `validation_hash` and `identity`.

    Parameters
    ----------
    identity : dict
        From `begin`.
    windows : Windows
    content : str, optional
        The `data_hash` of the tables, where the caller knows it.
    """
    from leadscore.identity.content import data_hash, validation_hash

    rows = windows.observations.frame
    valid = sum((fold.valid(rows) for fold in windows.folds), start=rows["as_of"].isna()).astype(bool)
    content = content or data_hash(windows.tables)
    return {
        **identity,
        "data_hash": content,
        "validation_hash": validation_hash(rows[valid], windows.observations.horizon),
        "identity": identity_of(identity, content),
    }
