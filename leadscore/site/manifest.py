"""What the site has made: only that is ever replaced or removed, and what has not changed is not made again."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from leadscore.errors import RecordError, examples
from leadscore.record.lines import write_whole

__all__ = ["MANIFEST", "Shelves", "open_site"]

MANIFEST = "site-manifest.json"
LOCK = ".site.lock"
LOCK_SECONDS = 60
OURS = re.compile(r"index\.html|runs-\d+\.html|(runs|comparisons)/[0-9A-Za-z_.-]+\.html")
VERSION = 1


@dataclass
class Shelves:
    """The site's folder.

    Attributes
    ----------
    folder : Path
    known : dict
        Of the last time: `files` (a page's place to its `key`, `size` and `sha256`) and `kept` (values under keys).
    files, kept : dict
        The same of this time.
    written, removed, spared : list of str
        Pages written, removed, and left although they are no longer wanted, because somebody has changed them.
    """

    folder: Path
    known: dict[str, Any]
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    spared: list[str] = field(default_factory=list)

    def announce(self, places: Iterable[str]) -> None:
        """Say which pages will be there, before any is written: a killed site knows its own the next time.

        Raises
        ------
        RecordError
            When a file that the site did not make stands in the place of one.
        """
        places = list(places)
        foreign = sorted(place for place in places if place not in self.known["files"] and self._there(place))
        if foreign:
            raise RecordError(
                f"{len(foreign)} of the site's pages would replace files in {self.folder} that it did not make "
                f"({examples(foreign)}); nothing was written. Choose another --out, or move them away"
            )
        for name in ("runs", "comparisons"):
            (self.folder / name).mkdir(exist_ok=True)
        planned = {place: {"key": "", "size": -1, "sha256": ""} for place in places}
        self._save({**planned, **self.known["files"]}, self.known["kept"])

    def has(self, place: str, key: str) -> bool:
        """Whether a page stands there as it would be made; it is then kept."""
        found = self.known["files"].get(place)
        if found is None or found["key"] != key or not key:
            return False
        try:
            if (self.folder / place).stat().st_size != found["size"]:
                return False
        except OSError:
            return False
        self.files[place] = found
        return True

    def write(self, place: str, key: str, content: bytes) -> None:
        """Write a page whole, or not at all."""
        try:
            write_whole(self.folder / place, content)
        except OSError as error:
            raise RecordError(f"{self.folder / place} cannot be written: {error.strerror}") from None
        self.files[place] = {"key": key, "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        self.written.append(place)

    def close(self) -> None:
        """Remove the pages that are no longer wanted, as far as they are the site's own, and keep the manifest."""
        for place, made in self.known["files"].items():
            path = self.folder / place
            if place in self.files or not self._there(place):
                continue
            if made["sha256"] and hashlib.sha256(path.read_bytes()).hexdigest() != made["sha256"]:
                self.spared.append(place)
                continue
            path.unlink()
            self.removed.append(place)
        self._save(self.files, self.kept)

    def _there(self, place: str) -> bool:
        return (self.folder / place).is_symlink() or (self.folder / place).exists()

    def _save(self, files: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
        content = json.dumps({"version": VERSION, "files": files, "kept": kept}, sort_keys=True, ensure_ascii=False)
        try:
            write_whole(self.folder / MANIFEST, content.encode(errors="backslashreplace"))
        except OSError as error:
            raise RecordError(f"{self.folder / MANIFEST} cannot be written: {error.strerror}") from None


@contextmanager
def open_site(folder: Path) -> Iterator[Shelves]:
    """Open a site's folder for this process alone; made when absent.

    Raises
    ------
    RecordError
        When it cannot be made, is locked, or its manifest cannot be read.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / LOCK, timeout=LOCK_SECONDS):
            yield Shelves(folder, _read(folder / MANIFEST))
    except Timeout:
        raise RecordError(f"{folder} stayed locked by another leadscore report for {LOCK_SECONDS} s") from None
    except OSError as error:
        raise RecordError(f"the site's folder {folder} cannot be written: {error.strerror}; --out decides") from None


def _read(path: Path) -> dict[str, Any]:
    """Return what the last time left; a place that is none of a site's is never touched, whoever wrote it there."""
    empty: dict[str, Any] = {"files": {}, "kept": {}}
    if not path.is_file():
        return empty
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        files = {place: made for place, made in found["files"].items() if OURS.fullmatch(place)}
        if not all({"key", "size", "sha256"} <= set(made) for made in files.values()):
            raise KeyError("files")
        return {"files": files, "kept": dict(found["kept"]) if found["version"] == VERSION else {}}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise RecordError(
            f"{path} is damaged, so nobody can say which pages in its folder are the site's: remove the folder, or "
            f"choose another --out"
        ) from None
