"""What a job of a sweep leaves in its process for the next one: the same tables are not read, or audited, twice."""

from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["Memory"]

T = TypeVar("T")


class Memory:
    """Values under what they were asked for; the last one of each kind.

    A value is handed out again as it is, so nobody may change it. A file that changes meanwhile is not seen: the jobs
    that share a memory are asked of the same data.

    Examples
    --------
    >>> memory = Memory()
    >>> memory.recall("tables", "crm", lambda: "read"), memory.recall("tables", "crm", lambda: "read again")
    ('read', 'read')
    >>> memory.recall("tables", "demo", lambda: "other")
    'other'
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Any]] = {}

    def knows(self, kind: str, asked: Any) -> bool:
        """Whether `recall` would make nothing."""
        return kind in self._kept and bool(self._kept[kind][0] == asked)

    def recall(self, kind: str, asked: Any, make: Callable[[], T]) -> T:
        """Return the value of a kind, made anew unless the last one was asked for by something equal."""
        if not self.knows(kind, asked):
            self._kept.pop(kind, None)  # first: the old one and the new one need not stand in memory together
            self._kept[kind] = (asked, make())
        value: T = self._kept[kind][1]
        return value
