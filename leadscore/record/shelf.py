"""A run's folder: the files every run leaves, each whole or not there at all."""

import json
from io import BytesIO
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from leadscore.errors import RecordError
from leadscore.record.lines import write_whole

__all__ = [
    "ABLATION",
    "CHAMPION",
    "CHECKS",
    "CODE",
    "CONFIG",
    "DATA",
    "FEATURES",
    "IDENTITY",
    "MARK",
    "METRICS",
    "MIRRORS",
    "MODEL",
    "PREDICTIONS",
    "REPORT",
    "SCHEMA",
    "SEARCH",
    "VALUES",
    "WINDOWS",
    "Shelf",
    "is_at_work",
    "write_json",
]

MARK = ".running"  # locked while a run is at work
IDENTITY = "identity.json"  # written first: a folder with it belongs to one run
CODE = "code.json"  # the source of what was computed, for a later diff
CONFIG = "config.yaml"
DATA = "data.json"  # what the data were, column by column, for a later diff
SCHEMA = "schema.json"
WINDOWS = "windows.json"
CHECKS = "checks.json"
METRICS = "metrics.json"
SEARCH = "search.json"  # of a run that searched: every trial
PREDICTIONS = "predictions.parquet"
FEATURES = "features.md"
VALUES = "features.parquet"  # the features' values of the validation rows
CHAMPION = "champion.json"  # the run against the champion of its day; none where there was none to compare with
REPORT = "report.html"
ABLATION = "ablation.json"  # what its features are worth; written when somebody asks
MIRRORS = "mirrors.json"  # which copies of the run exist elsewhere; written last
MODEL = "model"


class Shelf:
    """Writes one run's files into its folder, which is marked as being worked in until `close`.

    The mark is a lock, so it goes with its process, however that ends.

    Parameters
    ----------
    folder : Path
        Created when absent. One that another run has claimed is refused.

    Raises
    ------
    RecordError
        When the folder is claimed or cannot be written, before any work is done.
    """

    def __init__(self, folder: Path, identity: dict[str, Any]) -> None:
        self.folder = folder
        self._mark = FileLock(folder / MARK, timeout=0)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._mark.acquire()
            taken = (folder / IDENTITY).exists()
            if not taken:
                write_whole(folder / IDENTITY, _json(identity).encode())
        except Timeout:
            taken = True
        except OSError as error:
            self.close()
            raise RecordError(
                f"the run's folder {folder} cannot be written: {error.strerror}; tracking.root decides"
            ) from None
        if taken:
            self.close()
            raise RecordError(
                f"{folder} holds a run already ({IDENTITY} is there); a run never writes into another's folder"
            )

    def close(self) -> None:
        """Take the mark away: nothing more is written."""
        if self._mark.is_locked:
            (self.folder / MARK).unlink(missing_ok=True)
            self._mark.release()

    def json(self, name: str, content: Any) -> None:
        """Write a JSON file, replacing an earlier one whole."""
        write_json(self.folder / name, content)

    def text(self, name: str, content: str) -> None:
        """Write a text file in UTF-8, replacing an earlier one whole."""
        _replace(self.folder / name, content.encode())

    def parquet(self, name: str, frame: Any) -> None:
        """Write a frame as Parquet, replacing an earlier one whole."""
        content = BytesIO()
        frame.to_parquet(content, index=False)
        _replace(self.folder / name, content.getvalue())


def is_at_work(folder: Path) -> bool:
    """Whether a process is still writing into a run's folder."""
    if not (folder / MARK).exists():
        return False
    try:
        with FileLock(folder / MARK, timeout=0):
            return False
    except (Timeout, OSError):  # who may not ask must not touch it either
        return True


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, replacing an earlier one whole.

    Raises
    ------
    RecordError
    """
    _replace(path, _json(content).encode())


def _replace(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}") from None


def _json(content: Any) -> str:
    # allow_nan=False: what is undefined is null with a reason beside it, never NaN.
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
