"""A cache on disk: what took long to make, kept under the hash of all that it was made from.

An entry is a folder `KIND/KEY` that appears whole, by one rename, and is never changed. Its `manifest.json` has the
sha256 of every file; what does not match it is thrown away and made again. The cache may be deleted at any time:
nothing depends on it but waiting, and a run that cannot use it goes on without.
"""

import errno
import logging
import os
import re
import shutil
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from leadscore.config.schema import ComputeConfig
from leadscore.sealed import Entry, check, mark_used, read_entry, seal

__all__ = ["Entry", "Store", "open_store"]

log = logging.getLogger(__name__)

LOCKS, UNFINISHED = ".locks", ".unfinished"
WAIT_SECONDS = 1_800.0  # for another run that makes the same; a killed one lets go at once
FORGOTTEN = timedelta(days=7).total_seconds()  # what is unfinished for so long has no maker, on whatever machine


def open_store(compute: ComputeConfig) -> "Store | None":
    """Return the cache that a config names; None where it wants none (`compute.cache=false`).

    The folder is `compute.cache_dir`, else `$XDG_CACHE_HOME/leadscore`, else `~/.cache/leadscore`. Nothing is made
    before there is something to keep.
    """
    if not compute.cache:
        return None
    limit = int(compute.cache_limit_gb * 1e9)
    if compute.cache_dir is not None:
        return Store(Path(compute.cache_dir).expanduser().absolute(), limit)
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):  # as its standard has it: a relative one is no base
        home = os.environ.get("HOME", "")
        base = str(Path(home, ".cache")) if os.path.isabs(home) else ""
    if base:
        return Store(Path(base) / "leadscore", limit)
    store = Store(None, limit)
    store.note("there is no cache: neither HOME nor XDG_CACHE_HOME is set; compute.cache_dir names a folder")
    return store


class Store:
    """Entries in a folder.

    Parameters
    ----------
    root : Path or None
        Made, for its owner alone, when something is kept; None keeps nothing.
    limit : int
        Bytes. After something was kept, entries beyond it go, the least recently used first.

    Attributes
    ----------
    notes : list of str
        What went wrong without stopping the run, a sentence each; logged as warnings too.
    done : Counter of str
        `tables found`, `tables kept`: what this object did, by kind.
    """

    def __init__(self, root: Path | None, limit: int) -> None:
        self.root, self.limit = root, limit
        self.notes: list[str] = []
        self.done: Counter[str] = Counter()
        self._writes = root is not None
        self._size: int | None = None  # of all entries, as far as this object knows

    def note(self, sentence: str) -> None:
        """Keep a sentence, once, and log it."""
        if sentence not in self.notes:
            self.notes.append(sentence)
            log.warning("%s", sentence)

    def find(self, kind: str, key: str) -> Path | None:
        """Return an entry's folder, every file of it as it was written; None where there is none.

        A damaged entry is thrown away with a note.
        """
        if self.root is None:
            return None
        folder = self._folder(kind, key)
        why = ""
        try:
            check(folder)
        except (FileNotFoundError, NotADirectoryError):
            if not folder.is_dir():
                return None
            why = "a file is missing"
        except OSError as error:
            self.note(f"the cache {self.root} cannot be read ({error.strerror}) and is not used")
            return None
        except ValueError as error:
            why = str(error)
        if why:
            gone = "thrown away" if self._remove(folder) else "not used"
            self.note(f"the cache entry {folder} is damaged ({why}); it is {gone} and made again")
            return None
        with suppress(OSError):  # a cache that is only read is not marked
            mark_used(folder)
        self.done[f"{kind} found"] += 1
        return folder

    def keep(self, kind: str, key: str, write: Callable[[Path], None], what: str = "") -> Path | None:
        """Let `write` fill an empty folder and keep it as an entry.

        Parameters
        ----------
        kind : str
            A short word.
        key : str
            64 hex: the hash of all that decides what is written.
        write : callable
            Told a folder of its own. What it raises, an OSError aside, is raised on; nothing is kept then.
        what : str
            One line about it, for people.

        Returns
        -------
        Path or None
            The entry's folder, also when another process was first; None where nothing can be written (a full disk,
            no permission), which is noted, and then this object keeps nothing more.
        """
        if not self._writes or self.root is None:
            return None
        try:
            with self.scratch() as folder:
                write(folder)
                size = seal(folder, kind, key, what)
                found = self._publish(folder, self._folder(kind, key))
        except OSError as error:
            self.give_up(error)
            return None
        self.done[f"{kind} kept"] += 1
        self._stay_within(size, found)
        return found

    def give_up(self, error: OSError) -> None:
        """Keep nothing from now on, because of an error in writing."""
        self._writes = False
        self.note(
            f"the cache {self.root} cannot be written ({error.strerror or error}), so nothing more is kept; "
            f"compute.cache_dir decides where it lies, compute.cache=false does without"
        )

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Give a folder inside the cache that is gone afterwards; what killed processes left goes too."""
        if self.root is None:
            raise OSError(errno.ENOENT, "there is no cache folder")
        place = _inside(self.root, UNFINISHED)
        _sweep(self.root)
        folder = Path(tempfile.mkdtemp(prefix=f"{_host()}.{os.getpid()}.", dir=place))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def making(self, kind: str, key: str, patience: float = WAIT_SECONDS) -> Iterator[None]:
        """Be the only one that makes an entry: another run waits here, and then finds it.

        The lock is the kernel's and goes with its process. After `patience` seconds, or where no lock can be had, the
        run goes on alone: two may make the same, and the first keeps it.
        """
        from filelock import FileLock, Timeout

        if not self._writes or self.root is None:
            yield
            return
        lock = FileLock(self.root / LOCKS / f"{kind}-{key}")
        try:
            _inside(self.root, LOCKS)
            Path(lock.lock_file).open("a").close()  # where this fails, waiting would not help
            try:
                lock.acquire(timeout=0)
            except Timeout:
                log.info("waiting for another run that makes the same %s", kind)
                lock.acquire(timeout=patience)
        except Timeout:
            self.note(f"another run has been making the same {kind} for {patience:g} s; this one goes on alone")
        except (OSError, NotImplementedError):
            pass  # where nothing can be locked, nothing can be written either, and `keep` says so
        try:
            yield
        finally:
            lock.release()

    def told(self, kind: str) -> dict[str, Any]:
        """Return what became of a kind of entry here, for a run's record: `found`, `kept` or `neither`, and notes."""
        done = (word for word in ("kept", "found") if self.done[f"{kind} {word}"])
        return {kind: next(done, "neither"), "notes": list(self.notes)}

    def entries(self) -> list[Entry]:
        """Return all entries, the most recently used first."""
        if self.root is None or not self.root.is_dir():
            return []
        found = []
        for kind in _subfolders(self.root):
            found += [read_entry(folder) for folder in _subfolders(kind)]
        return sorted(found, key=lambda entry: (entry.used, entry.key), reverse=True)

    def prune(
        self, *, kind: str | None = None, unused_for: timedelta | None = None, limit: int | None = None
    ) -> list[Entry]:
        """Throw entries away and return them; all of them, where nothing says which.

        Parameters
        ----------
        kind : str, optional
            Only these are thrown away.
        unused_for : timedelta, optional
            Only those not used for longer.
        limit : int, optional
            Only as many, the least recently used first, as it takes for the rest of their kind to fit in so many bytes.
        """
        return self._prune(kind, unused_for, limit, None)

    def _prune(
        self, kind: str | None, unused_for: timedelta | None, limit: int | None, spared: Path | None
    ) -> list[Entry]:
        entries = [entry for entry in self.entries() if kind in (None, entry.kind)]
        size = sum(entry.size for entry in entries)
        now, gone = datetime.now(UTC), []
        for entry in reversed(entries):
            folder = self._folder(entry.kind, entry.key)
            fits = limit is not None and size <= limit
            if fits or folder == spared or (unused_for is not None and now - entry.used <= unused_for):
                continue
            if self._remove(folder):
                size -= entry.size
                gone.append(entry)
        self._size = None if kind else size
        return gone

    def _stay_within(self, added: int, spared: Path) -> None:
        """Count what was kept; look at the whole cache first and whenever the limit may be passed."""
        self._size = None if self._size is None else self._size + added
        if self._size is None or self._size > self.limit:
            with suppress(OSError):
                self._prune(None, None, self.limit, spared)

    def _folder(self, kind: str, key: str) -> Path:
        if not re.fullmatch(r"[a-z]+", kind) or not re.fullmatch(r"[0-9a-f]{64}", key) or self.root is None:
            raise ValueError(f"no entry can be called {kind!r} {key!r}")
        return self.root / kind / key

    def _publish(self, folder: Path, final: Path) -> Path:
        """Give a sealed folder its name; where another process was first, its entry stands."""
        _inside(final.parent.parent, final.parent.name)
        for _ in range(2):
            try:
                os.rename(folder, final)
            except OSError as error:
                if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                    raise
                if self.find(final.parent.name, final.name):
                    return final
                continue  # a damaged one stood there
            check(final, sealed_here=True)
            return final
        raise OSError(errno.EEXIST, f"{final.name[:8]} stands there, damaged, and cannot be removed")

    def _remove(self, folder: Path) -> bool:
        """Take an entry's name away in one step, then its files; who has them open keeps them."""
        try:
            with self.scratch() as place:
                os.rename(folder, place / folder.name)
        except OSError:
            return not folder.exists()
        return True


def _inside(root: Path, name: str) -> Path:
    """Return a folder of the cache, made with the cache itself for its owner alone: people's data lie in it."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = root / name
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname())


def _listed(folder: Path) -> list[Path]:
    with suppress(OSError):
        return list(folder.iterdir())
    return []


def _subfolders(folder: Path) -> list[Path]:
    return [path for path in _listed(folder) if not path.name.startswith(".") and path.is_dir()]


def _sweep(root: Path) -> None:
    """Remove what processes that are gone were writing, and locks that nobody has taken for long."""
    for path in (*_listed(root / UNFINISHED), *_listed(root / LOCKS)):
        host, _, rest = path.name.partition(".")
        pid = rest.partition(".")[0]
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > FORGOTTEN or (host == _host() and not _is_alive(int(pid))):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
