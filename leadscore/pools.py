"""What a room may ask of processes elsewhere: a function for many units, or one piece of work of several together."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

__all__ = ["Crew", "Pool", "Seat"]


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


@dataclass(frozen=True)
class Seat:
    """One process's place among those that work together.

    Attributes
    ----------
    number : int
    machines : tuple of str
        `host:port` of each of them, in the order of their numbers.
    threads : int
        That this one may use.
    """

    number: int
    machines: tuple[str, ...]
    threads: int


class Crew(Protocol):
    """Processes that talk to each other while they work."""

    def together(
        self, function: Callable[[Seat, list[Any], Any], Any], shares: Sequence[Iterable[Any]], rest: Any
    ) -> list[Any]:
        """Return `function(seat, pieces, rest)` of each share's pieces, all at the same time, in the shares' order.

        When one of them is lost, all start anew.
        """
