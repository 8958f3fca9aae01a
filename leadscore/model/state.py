"""How a fitted model's numbers become a file: JSON that gives every float64 back bit for bit."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

from leadscore.config.schema import EnsembleModel, ModelConfig
from leadscore.errors import ModelError

__all__ = ["read_state", "require", "write_state"]

State = TypeVar("State")


def write_state(path: Path, config: ModelConfig, seed: int, state: dict[str, Any]) -> None:
    """Write `state` with the config and the seed that led to it.

    Config fields marked `identity=False` (threads) are left out: they cannot change a prediction, so the
    same model has the same bytes however it was computed.
    """
    # JSON spells a float as the shortest text that reads back the same bits
    text = json.dumps({"config": _kept(config), "seed": seed, **state}, allow_nan=False, indent=1)
    path.write_text(text + "\n", encoding="ascii")


def _kept(config: ModelConfig) -> dict[str, Any]:
    unsaved = {item.name for item in fields(config) if item.metadata.get("identity") is False}
    kept = {key: value for key, value in asdict(config).items() if key not in unsaved}
    if isinstance(config, EnsembleModel):
        kept["members"] = {label: _kept(member) for label, member in config.members.items()}
    return kept


def read_state(path: Path) -> dict[str, Any]:
    """Return what `write_state` wrote."""
    state: dict[str, Any] = json.loads(path.read_text(encoding="ascii"))
    return state


def require(state: State | None, name: str) -> State:
    """Return a fitted state; None is a ModelError that says to fit first."""
    if state is None:
        raise ModelError(f"The model {name} is not fitted yet: call fit(X, y) first.")
    return state
