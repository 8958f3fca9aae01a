"""A job of a sweep: what it asks, and what became of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from leadscore.config.schema import Config
from leadscore.identity.asked import digest
from leadscore.preparing import dataset_asked

__all__ = ["ENDED", "Job", "listed"]

WORKED = ("done", "known")
ENDED = ("done", "known", "failed", "cancelled", "interrupted")  # else `waiting` or `running`


@dataclass
class Job:
    """One job.

    Attributes
    ----------
    number : int
        Hydra's, from 0.
    overrides : tuple of str
    config : Config
    named : dict
        What of its identity is known before its data are read, from `identity.run.named`.
    status : str
        `waiting`, `running`, or one of `ENDED`.
    folder : Path or None
        The run's, once it was started or found.
    run_id : str or None
    reason : str
        Why it did not come to its end.
    seconds : float
        From being handed to a process to its end.
    value : float or None
        Its AUC, which a sweeper that searches is told.
    tree : bytes
        What Hydra composed of it, from `worker.packed`; empty where the process is to do that.
    """

    number: int
    overrides: tuple[str, ...]
    config: Config
    named: dict[str, Any]
    status: str = "waiting"
    folder: Path | None = None
    run_id: str | None = None
    reason: str = ""
    seconds: float = 0.0
    value: float | None = None
    tree: bytes = field(default=b"", repr=False)
    key: str = field(init=False)

    def __post_init__(self) -> None:
        self.key = digest([self.named[part] for part in sorted(self.named)])

    @property
    def worked(self) -> bool:
        """Whether there is a result, made now or before."""
        return self.status in WORKED

    def shares_data(self, other: "Job") -> bool:
        """Whether a process that did the other has read, prepared and audited all that this one needs."""
        return dataset_asked(self.config) == dataset_asked(other.config)


def listed(numbers: Iterable[int]) -> str:
    """Return job numbers in words, a row of them by its ends.

    Examples
    --------
    >>> listed([3]), listed([0, 1, 2, 5])
    ('job 3', 'jobs 0-2, 5')
    """
    rows: list[list[int]] = []
    for number in sorted(numbers):
        if rows and number == rows[-1][-1] + 1:
            rows[-1].append(number)
        else:
            rows.append([number])
    words = [f"{row[0]}-{row[-1]}" if len(row) > 2 else ", ".join(map(str, row)) for row in rows]
    return f"{'job' if len(rows) == 1 and len(rows[0]) == 1 else 'jobs'} {', '.join(words)}"
