"""What a room may ask of processes elsewhere: to call a function for many units of work."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Pool"]


class Pool(Protocol):
    """Processes, on this machine or others, that compute exactly what this one would."""

    @property
    def n_workers(self) -> int:
        """How many units can be worked on at the same time."""

    def map(self, function: Callable[[Any], Any], units: Iterable[Any]) -> Iterator[Any]:
        """Yield `function(unit)` for each unit, in the order in which they are done.

        Units are made when their turn comes: few of them exist at a time.
        """

    def sees(self, folder: Path) -> bool:
        """Whether each process finds in a folder what this one finds there."""
