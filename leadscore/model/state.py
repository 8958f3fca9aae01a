"""How a fitted model's numbers become a file: JSON that gives every float64 back bit for bit."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from leadscore.config.schema import EnsembleModel, ModelConfig
from leadscore.errors import ModelError

__all__ = ["many_numbers", "one_number", "read_config", "read_state", "require", "write_state"]

State = TypeVar("State")
C = TypeVar("C", bound=ModelConfig)


def write_state(path: Path, config: ModelConfig, seed: int, state: dict[str, Any]) -> None:
    """Write `state` with the config and the seed that led to it.

    Config fields marked `identity=False` (threads) are left out: they cannot change a prediction, so the
    same model has the same bytes however it was computed.
    """
    # JSON spells a float as the shortest text that reads back the same bits
    text = json.dumps({"config": _kept(config), "seed": seed, **state}, allow_nan=False, indent=1)
    path.write_text(text + "\n", encoding="ascii")


def _kept(config: ModelConfig) -> dict[str, Any]:
    kept = {key: value for key, value in asdict(config).items() if key not in _unsaved(type(config))}
    if isinstance(config, EnsembleModel):
        kept["members"] = {label: _kept(member) for label, member in config.members.items()}
    return kept


def _unsaved(kind: type[ModelConfig]) -> set[str]:
    return {item.name for item in fields(kind) if item.metadata.get("identity") is False}


def read_config(kind: type[C], saved: dict[str, Any]) -> C:
    """Return the config that `write_state` wrote; a key that it leaves out is a ValueError."""
    unsaved = _unsaved(kind) & set(saved)
    if unsaved:
        raise ValueError(f"{', '.join(sorted(unsaved))} cannot change a prediction, and is not saved")
    return kind(**saved)


def read_state(path: Path) -> dict[str, Any]:
    """Return what `write_state` wrote."""
    state: dict[str, Any] = json.loads(path.read_text(encoding="ascii"), parse_constant=_no_number)
    return state


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number that leadscore writes")


def one_number(saved: Any, what: str) -> float:
    """Return a saved number; a ValueError when it is none, or not finite."""
    return float(_finite(saved, what, 0))


def many_numbers(saved: Any, what: str) -> list[float]:
    """Return a saved list of numbers; a ValueError when one of them is none, or not finite."""
    return list(map(float, _finite(saved, what, 1)))


def _finite(saved: Any, what: str, dimensions: int) -> np.ndarray:
    array: np.ndarray = np.array(saved, dtype=np.float64)
    if array.ndim != dimensions or not np.isfinite(array).all():
        raise ValueError(f"{what} is {'no finite number' if dimensions == 0 else 'no list of finite numbers'}")
    return array


def require(state: State | None, name: str) -> State:
    """Return a fitted state; None is a ModelError that says to fit first."""
    if state is None:
        raise ModelError(f"The model {name} is not fitted yet: call fit(X, y) first.")
    return state
