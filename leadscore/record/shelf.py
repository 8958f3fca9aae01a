"""A run's folder: the files every run leaves, each whole or not there at all."""

import json
import os
from pathlib import Path
from typing import Any

from leadscore.errors import RecordError

__all__ = [
    "CHECKS",
    "CONFIG",
    "FEATURES",
    "IDENTITY",
    "METRICS",
    "MIRRORS",
    "MODEL",
    "PREDICTIONS",
    "REPORT",
    "SCHEMA",
    "WINDOWS",
    "Shelf",
    "write_json",
]

IDENTITY = "identity.json"  # written first: a folder with it belongs to one run
CONFIG = "config.yaml"
SCHEMA = "schema.json"
WINDOWS = "windows.json"
CHECKS = "checks.json"
METRICS = "metrics.json"
PREDICTIONS = "predictions.parquet"
FEATURES = "features.md"
REPORT = "report.html"
MIRRORS = "mirrors.json"  # which copies of the run exist elsewhere; written last
MODEL = "model"


class Shelf:
    """Writes one run's files into its folder.

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
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / IDENTITY).open("x", encoding="utf-8") as file:
                file.write(_json(identity))
        except FileExistsError:
            raise RecordError(
                f"{folder} holds a run already ({IDENTITY} is there); a run never writes into another's folder"
            ) from None
        except OSError as error:
            raise RecordError(
                f"the run's folder {folder} cannot be written: {error.strerror}; tracking.root decides"
            ) from None

    def json(self, name: str, content: Any) -> None:
        """Write a JSON file, replacing an earlier one whole."""
        write_json(self.folder / name, content)

    def text(self, name: str, content: str) -> None:
        """Write a text file in UTF-8, replacing an earlier one whole."""
        _replace(self.folder / name, content.encode())

    def parquet(self, name: str, frame: Any) -> None:
        """Write a frame as Parquet, replacing an earlier one whole."""
        temporary = self.folder / f".{name}.{os.getpid()}"
        try:
            frame.to_parquet(temporary, index=False)
            os.replace(temporary, self.folder / name)
        except OSError as error:
            raise RecordError(f"{self.folder / name} cannot be written: {error.strerror}") from None
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write a JSON file, replacing an earlier one whole.

    Raises
    ------
    RecordError
    """
    _replace(path, _json(content).encode())


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise RecordError(f"{path} cannot be written: {error.strerror}") from None
    finally:
        temporary.unlink(missing_ok=True)


def _json(content: Any) -> str:
    # allow_nan=False: what is undefined is null with a reason beside it, never NaN.
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
