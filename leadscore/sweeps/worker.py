"""A process that takes one job of a sweep after the other: what the last one read and prepared, the next one has.

It is told jobs over a connection and tells what became of each. When the other end is gone it ends itself at once,
and all that it has started.
"""

import logging
import os
import pickle
import signal
import sys
import traceback
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any, Protocol

__all__ = ["SAID", "Bench", "Order", "Setup", "claim", "main", "packed", "said_into"]

SAID = "terminal.log"  # in a job's folder: what it would have shown in the terminal


@dataclass(frozen=True)
class Setup:
    """What all jobs of a sweep have in common: Hydra's loader and the config that it composed for the sweep."""

    loader: Any
    master: Any
    folder: Path


@dataclass(frozen=True)
class Order:
    """One job to do, unless it is one of the `candidates` (identity to run_id).

    Attributes
    ----------
    tree : bytes
        What Hydra has composed of the overrides, from `packed`; empty where that is yet to be done.
    """

    number: int
    overrides: tuple[str, ...]
    plugins: tuple[str, ...]
    candidates: dict[str, str]
    tree: bytes = b""


def packed(tree: Any) -> bytes:
    """Return a composed tree in few bytes: a sweep holds one for each job."""
    return zlib.compress(pickle.dumps(tree), 1)


class Bench(Protocol):
    """Does one job after the other."""

    def do(self, order: Order) -> tuple[str, float | None, str]:
        """Return how a job ended, its value, and the reason where it did not succeed, or the run_id of a known one."""


def main(make_bench: "Callable[[Setup, Any], Bench] | None" = None) -> None:
    """Do jobs until the other end of the connection, whose number is the first argument, is closed.

    Parameters
    ----------
    make_bench : callable, optional
        Makes what does the jobs, of the setup and the connection; default: training.
    """
    connection: Connection[Any, Any] = Connection(int(sys.argv[1]))
    os.set_inheritable(connection.fileno(), False)
    with suppress(OSError):  # the kernel, when memory runs out, rather ends a job than the command
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    orders: SimpleQueue[Any] = SimpleQueue()
    is_idle = Event()
    Thread(target=_listen, args=(connection, orders, is_idle), daemon=True).start()
    setup = orders.get()
    if setup is None:
        return
    bench = (make_bench or _Training)(setup, connection)
    while True:
        is_idle.set()
        connection.send(("ready",))
        order = orders.get()
        if order is None:
            return
        is_idle.clear()
        connection.send(("ended", *bench.do(order)))


def _listen(connection: Any, orders: "SimpleQueue[Any]", is_idle: Event) -> None:
    try:
        while True:
            orders.put(connection.recv())
    except (EOFError, OSError):
        if not is_idle.is_set():  # the command was killed: what nobody waits for ends, with all that it started
            os.killpg(os.getpgid(0), signal.SIGKILL)
        orders.put(None)


class _Training:
    """Does jobs of `leadscore.train`, which share what they read and prepare."""

    def __init__(self, setup: Setup, connection: Any) -> None:
        from hydra import version
        from hydra.core.utils import JobRuntime, setup_globals

        from leadscore.config.compose import register_configs
        from leadscore.memory import Memory
        from leadscore.train import make_door

        self.setup, self.connection = setup, connection
        self.memory = Memory()
        self.door = make_door(self.memory)
        version.setbase("1.3")  # as `hydra.main` does for the command
        setup_globals()
        register_configs()
        JobRuntime.instance().set("name", self.door.name)

    def do(self, order: Order) -> tuple[str, float | None, str]:
        from omegaconf import read_write

        from leadscore.errors import LeadscoreError
        from leadscore.sweeps.known import find_known

        try:
            self.door.load_plugins(order.plugins)
            tree = self._compose(order)
            config = self.door.typed(tree, tree.hydra)
            known = find_known(config, order.candidates, self.memory)
            if known is not None:
                return "known", None, known
            folder = claim(self.setup.folder, str(tree.hydra.sweep.subdir))
            with read_write(tree.hydra.sweep):
                tree.hydra.sweep.subdir = str(folder.relative_to(self.setup.folder))
        except LeadscoreError as error:
            return "failed", None, str(error)
        except BaseException as error:  # a plugin may leave by sys.exit()
            return "failed", None, _worded(error)
        self.connection.send(("started", folder))
        try:
            with said_into(folder / SAID):
                return self._run(tree)
        except OSError as error:  # its log cannot be written
            return "failed", None, f"{folder / SAID} cannot be written: {error.strerror}"

    def _compose(self, order: Order) -> Any:
        """Compose a job as Hydra's own launcher does."""
        from hydra.core.hydra_config import HydraConfig
        from omegaconf import open_dict, read_write

        if order.tree:
            tree = pickle.loads(zlib.decompress(order.tree))  # noqa: S301 (the command's own, over its own pipe)
        else:
            tree = self.setup.loader.load_sweep_config(self.setup.master, list(order.overrides))
        with open_dict(tree), read_write(tree):
            tree.hydra.job.id = str(order.number)
            tree.hydra.job.num = order.number
            tree.hydra.sweep.dir = str(self.setup.folder)
        HydraConfig.instance().set_config(tree)
        return tree

    def _run(self, tree: Any) -> tuple[str, float | None, str]:
        from hydra._internal.callbacks import Callbacks
        from hydra.core.utils import JobStatus, run_job
        from hydra.types import HydraContext

        from leadscore.door import task_of
        from leadscore.errors import LeadscoreError

        try:
            done = run_job(
                task_function=task_of(self.door),
                config=tree,
                job_dir_key="hydra.sweep.dir",
                job_subdir_key="hydra.sweep.subdir",
                hydra_context=HydraContext(config_loader=self.setup.loader, callbacks=Callbacks()),
            )
        except BaseException as error:  # sys.exit() in a user's code, or a folder that cannot be written
            traceback.print_exc()
            return "failed", None, _worded(error)
        if done.status == JobStatus.COMPLETED:
            return "done", done.return_value, ""
        fault = done._return_value
        if isinstance(fault, LeadscoreError):
            print(f"leadscore: {fault}", file=sys.stderr)  # noqa: T201
            return "failed", None, str(fault)
        traceback.print_exception(fault)
        return "failed", None, f"{_worded(fault)} (the traceback is in {SAID})"


def _worded(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".splitlines()[0]


def claim(sweep: Path, name: str) -> Path:
    """Make a job's folder; what an earlier attempt left stays, and this one's is called NAME-2, NAME-3, ..."""
    from leadscore.errors import RecordError

    attempt = 1
    while True:
        folder = sweep / (name if attempt == 1 else f"{name}-{attempt}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            attempt += 1
        except OSError as error:
            raise RecordError(f"{folder} cannot be made: {error.strerror}; hydra.sweep.dir decides") from None
        else:
            return folder


@contextmanager
def said_into(path: Path) -> Iterator[None]:
    """Send what this process, and what it starts, says into a file: many jobs would drown the terminal."""
    logging.raiseExceptions = False  # a log that cannot be written is no reason to say so at each line
    outer = os.dup(1), os.dup(2)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for number in (1, 2):
        os.dup2(file, number)
    os.close(file)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        for number, kept in zip((1, 2), outer, strict=True):
            os.dup2(kept, number)
            os.close(kept)
