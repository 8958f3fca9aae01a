"""How a config's dataclass says of a field what Python's types cannot, as metadata.

- `kind`: the text is a `duration` (`7d`), an `instant` (`2024-03-10`) or an `embargo` (a duration or `auto`),
  checked by `config.checks` and put in one spelling before hashing;
- `choices`: the words allowed;
- `above`, `at_least`, `below`, `at_most`: the range of a number;
- `identity=False`: the value cannot change a prediction and stays out of `config_hash`;
- `searched=True`: ranges, which decide something where there is a search, and are hashed with it there alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from omegaconf import MISSING

__all__ = ["RANGES", "choice", "duration", "instant", "kept_as", "number", "outside", "unhashed"]

RANGES = {"identity": False, "searched": True}  # metadata of the ranges that a search tries
_LIMITS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "above": (lambda value, limit: value > limit, "above"),
    "at_least": (lambda value, limit: value >= limit, "at least"),
    "below": (lambda value, limit: value < limit, "below"),
    "at_most": (lambda value, limit: value <= limit, "at most"),
}


def kept_as(kind: str, default: Any) -> Any:
    """Return a field whose text is kept in the one spelling of its kind."""
    return field(default=default, metadata={"kind": kind})


def duration(default: Any = MISSING) -> Any:
    """Return a field for a length of time."""
    return kept_as("duration", default)


def instant(default: Any = MISSING) -> Any:
    """Return a field for a moment."""
    return kept_as("instant", default)


def choice(default: str | None, *words: str) -> Any:
    """Return a field for one of several words."""
    return field(default=default, metadata={"choices": words})


def number(default: Any, **limits: float) -> Any:
    """Return a field for a number within limits."""
    return field(default=default, metadata=limits)


def unhashed(default: Any, **limits: float) -> Any:
    """Return a field whose value cannot change a prediction."""
    return field(default=default, metadata={"identity": False, **limits})


def outside(value: float, metadata: Mapping[str, Any]) -> str | None:
    """Return what a number should be and is not.

    Examples
    --------
    >>> outside(0, {"above": 0, "at_most": 1})
    '0 must be above 0'
    """
    for limit, (holds, sentence) in _LIMITS.items():
        if limit in metadata and not holds(value, metadata[limit]):
            return f"{value} must be {sentence} {metadata[limit]}"
    return None
