"""A sweep's folder: one sweep at a time, always the same one, and `sweep.json`, from which it goes on."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from leadscore.errors import RecordError
from leadscore.record.shelf import write_json

__all__ = ["FILE", "SweepFolder", "asking", "read_sweep"]

FILE = "sweep.json"
MARK = ".sweeping"  # locked while a sweep is at work
# What a sweep may be gone on with in another way: nothing here changes what its jobs are.
WAYS = ("sweep.", "hydra/launcher", "hydra.launcher", "hydra.sweep.dir", "compute.", "compute=")


def asking(overrides: Iterable[str]) -> list[str]:
    """Return the overrides that say what a sweep's jobs are, not how they are gone through.

    Examples
    --------
    >>> asking(["model=logistic,lightgbm", "sweep.timeout=1h", "hydra/launcher=parallel"])
    ['model=logistic,lightgbm']
    """
    return [override for override in overrides if not override.lstrip("+~").startswith(WAYS)]


class SweepFolder:
    """Takes a folder for this process alone, until `close` or its end.

    Parameters
    ----------
    path : Path
        Made when absent.
    overrides : sequence of str
        The sweep's, as written.

    Attributes
    ----------
    before : dict or None
        `sweep.json` as the same sweep left it; None for a new one.

    Raises
    ------
    RecordError
        When another sweep is at work in it, or has been.
    """

    def __init__(self, path: Path, overrides: Sequence[str]) -> None:
        self.path = path.absolute()
        self._lock = FileLock(self.path / MARK, timeout=0)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock.acquire()
        except Timeout:
            raise RecordError(
                f"{path}: another sweep is at work in this folder, and two would mix; wait for it"
            ) from None
        except OSError as error:
            raise RecordError(f"{path} cannot be written: {error.strerror}; hydra.sweep.dir decides") from None
        try:
            self.before = read_sweep(path) if (path / FILE).exists() else None
        except RecordError:
            self.close()
            raise
        if self.before is not None and asking(self.before["overrides"]) != asking(overrides):
            self.close()
            theirs = " ".join(asking(self.before["overrides"]))
            raise RecordError(
                f"{path} holds another sweep ({theirs}): give this one a folder of its own (hydra.sweep.dir), or go on "
                f"with that one, leadscore resume {path}"
            )

    @property
    def entries(self) -> dict[int, dict[str, Any]]:
        """What was left of each job, by its number."""
        jobs = (self.before or {}).get("jobs", ())
        return {each["number"]: each for each in jobs if "number" in each}

    def write(self, content: dict[str, Any]) -> None:
        """Write `sweep.json`, whole."""
        write_json(self.path / FILE, content)

    def close(self) -> None:
        """Let others in."""
        self._lock.release()


def read_sweep(path: Path) -> dict[str, Any]:
    """Return what a sweep wrote of itself.

    Raises
    ------
    RecordError
        When that is missing or damaged.
    """
    try:
        content = json.loads((path / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecordError(
            f"{path} holds no {FILE}: no sweep of hydra/launcher=sequential or parallel was started there; after any "
            f"other, give its command again, which runs what is not recorded"
        ) from None
    except (OSError, ValueError) as error:
        raise RecordError(f"{path / FILE} cannot be read: {error}") from None
    if not isinstance(content, dict) or not isinstance(content.get("overrides"), list):
        raise RecordError(f"{path / FILE} is not what a sweep writes: it has no overrides")
    return content
