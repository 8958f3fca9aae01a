"""One call of a feature's function, under conditions that the audit sets and with what it does outside written down.

Between two builds nothing may differ but what a check alters: so the clock stands still and the global random
generators start from one seed, until a check moves them.
"""

import builtins
import functools
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import CodeType, FrameType
from typing import Any

import numpy as np
import pandas as pd
import time_machine

from leadscore.features.audit.captured import is_first_party_file
from leadscore.features.audit.lines import shown

__all__ = ["Conditions", "Opened", "held_still", "under"]

_AUDITED = {
    "open": "opened",
    "os.listdir": "listed",
    "os.scandir": "listed",
    "sqlite3.connect": "opened the database",
    "socket.connect": "connected to",
    "socket.getaddrinfo": "asked for the address of",
    "subprocess.Popen": "started",
    "os.system": "started",
    "urllib.Request": "asked for",
}
_NO_DATA = ("/proc/", "/sys/", "/dev/", "<", ":memory:")
_SOURCE_READERS = ("importlib", "linecache.py", "traceback.py", "inspect.py", "zoneinfo")
_READERS = {"read_parquet", "read_feather", "read_orc", "read_table"}  # they open files below Python's sight


@dataclass(frozen=True)
class Opened:
    """What a function touched outside: `opened '/tmp/rates.csv'`, and the line that did."""

    what: str
    line: str


@dataclass
class Conditions:
    """What holds during the next calls, and what they were seen doing.

    Attributes
    ----------
    clock : datetime
        The instant at which the wall clock stands.
    seed : int
        Of `random` and of numpy's global generator.
    salted : bool
        Whether `hash` of a text answers as it would in another process.
    mixed : bool
        Whether leads come in another order; the rows of one lead keep theirs.
    watch_files, watch_arguments : bool
    opened : mapping of str to Opened
        The first thing that a feature opened.
    mutated : mapping of str to str
        The argument that a feature changed.
    """

    clock: datetime = field(default_factory=lambda: datetime.now(tz=UTC))
    seed: int = 0
    salted: bool = False
    mixed: bool = False
    watch_files: bool = False
    watch_arguments: bool = False
    opened: dict[str, Opened] = field(default_factory=dict)
    mutated: dict[str, str] = field(default_factory=dict)


def under(conditions: Conditions, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function of feature `name` as it is called under `conditions`, whatever they are by then."""

    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        with ExitStack() as stack:
            stack.enter_context(_seeded(conditions.seed))
            if conditions.salted:
                stack.enter_context(_salted())
            if conditions.mixed:
                arguments = (_mixed(arguments[0]), *arguments[1:])
            if conditions.watch_files:
                seen: list[Opened] = []
                stack.callback(lambda: conditions.opened.setdefault(name, seen[0]) if seen else None)
                stack.enter_context(_listening(seen))
            if conditions.watch_arguments:
                given = {"the rows": arguments[0], **keywords}
                before = {each: _content(value) for each, value in given.items()}
                result = function(*arguments, **keywords)
                changed = [each for each, value in given.items() if _content(value) != before[each]]
                if changed:
                    conditions.mutated.setdefault(name, changed[0])
                return result
            with time_machine.travel(conditions.clock, tick=False):
                return function(*arguments, **keywords)

    return call


@contextmanager
def held_still(conditions: Conditions) -> Iterator[None]:
    """Let the clock and the random generators stand for the length of the block, whatever runs in it."""
    with _seeded(conditions.seed), time_machine.travel(conditions.clock, tick=False):
        yield


_CALL = next(each for each in under.__code__.co_consts if isinstance(each, CodeType) and each.co_name == "call")


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    ours, numpys = random.getstate(), np.random.get_state()
    random.seed(seed)
    np.random.seed(seed)
    try:
        yield
    finally:
        random.setstate(ours)
        np.random.set_state(numpys)


@contextmanager
def _salted() -> Iterator[None]:
    """Python salts `hash` of texts anew in every process; so it is here, except where an object asks for its own."""
    original = builtins.hash

    def salted(thing: Any) -> int:
        own = sys._getframe(1).f_code.co_name == "__hash__"
        return original(thing) if own or not isinstance(thing, str | bytes | tuple) else original(("salt", thing))

    builtins.hash = salted
    try:
        yield
    finally:
        builtins.hash = original


def _mixed(rows: pd.DataFrame) -> pd.DataFrame:
    """Put leads in another order: for events, each lead's rows still stand together, oldest first."""
    lead, ids = pd.factorize(rows["user_id"])
    place = np.random.default_rng(0).permutation(len(ids))
    return rows.iloc[np.argsort(place[lead], kind="stable")].reset_index(drop=True)


def _content(value: Any) -> Any:
    """Return a value that differs when a frame or Series does: cells, dtypes, labels and their order."""
    if not isinstance(value, pd.DataFrame | pd.Series):
        return None
    frame = value.to_frame() if isinstance(value, pd.Series) else value
    hashed = pd.util.hash_pandas_object(frame, index=True).to_numpy()
    return [str(each) for each in frame.columns], [str(each) for each in frame.dtypes], hashed.tobytes()


class _Hook:
    """Python's audit hooks can be added but never removed: one is, and it listens only when told to."""

    installed = False
    heard: list[Opened] | None = None
    thread = 0


@contextmanager
def _listening(heard: list[Opened]) -> Iterator[None]:
    if not _Hook.installed:
        sys.addaudithook(_hear)
        _Hook.installed = True
    before = sys.getprofile()
    _Hook.heard, _Hook.thread = heard, threading.get_ident()
    sys.setprofile(_profile)
    try:
        yield
    finally:
        sys.setprofile(before)
        _Hook.heard = None


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    heard = _Hook.heard
    if heard is None or event not in _AUDITED or threading.get_ident() != _Hook.thread:
        return
    _Hook.heard = None  # what is done below is not the function's
    try:
        line = _caller(sys._getframe(1))
        what = arguments[1] if event == "socket.connect" else arguments[0]
        if line is not None and _is_data(what):
            name = os.fsdecode(what) if isinstance(what, bytes) else str(what)
            heard.append(Opened(f"{_AUDITED[event]} {name!r}", line))
    finally:
        _Hook.heard = heard


def _profile(frame: FrameType, event: str, _argument: Any) -> None:
    heard = _Hook.heard
    if event != "call" or heard is None or frame.f_code.co_name not in _READERS:
        return
    if is_first_party_file(frame.f_code.co_filename):
        return
    what = frame.f_locals.get("path", frame.f_locals.get("source"))
    line = _caller(frame)
    if line is not None and isinstance(what, str | os.PathLike):
        heard.append(Opened(f"opened {os.fspath(what)!r}", line))


def _is_data(what: Any) -> bool:
    if isinstance(what, int) or what is None:  # a descriptor: opened before
        return False
    if not isinstance(what, str | bytes | os.PathLike):
        return True
    path = os.fsdecode(what)
    if path.startswith(_NO_DATA) or path.endswith((".pyc", ".py", ".so")) or "zoneinfo" in path:
        return False
    return is_first_party_file(path) and "__pycache__" not in path


def _caller(frame: FrameType | None) -> str | None:
    """Return the innermost line of the user's code; None when Python reads sources for itself."""
    while frame is not None:
        file = frame.f_code.co_filename
        if frame.f_code is _CALL or any(each in file for each in _SOURCE_READERS):
            return None
        if not file.startswith("<") and is_first_party_file(file) and not _is_leadscore(frame):
            return shown(file, frame.f_lineno)
        frame = frame.f_back
    return None


def _is_leadscore(frame: FrameType) -> bool:
    return str(frame.f_globals.get("__name__", "")).startswith("leadscore.")
