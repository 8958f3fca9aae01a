"""The other side of a `worker`: starting one, telling it a job, watching what it takes, ending it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Pipe
from pathlib import Path

from leadscore.sweeps.jobs import Job
from leadscore.sweeps.worker import Order, Setup

__all__ = ["Process", "memory_of"]

START = "import json, sys; sys.path[:] = json.loads(sys.argv[2]); from {module} import main; main()"
THREADS = (
    "OMP_NUM_THREADS",  # LightGBM, scikit-learn, Arrow
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
PATIENCE = 10.0  # seconds for a process that is told to go


class Process:
    """A process that takes one job after the other.

    Parameters
    ----------
    setup : Setup
    threads : int or None
        How many it may use; None leaves that to the environment.
    module : str
        Whose `main` it runs.

    Attributes
    ----------
    connection : Connection
        Has something to read when the process has something to say, or is gone.
    job : Job or None
        What it is at.
    last : Job or None
        What it did before, and has the data of.
    has_started, is_ready : bool
        Whether it has ever waited for a job, and whether it does now.
    verdict : tuple of (str, str) or None
        The status and the reason of the job for which it was killed.
    """

    def __init__(self, setup: Setup, threads: int | None, module: str = "leadscore.sweeps.worker") -> None:
        self.connection, theirs = Pipe()
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        environment = dict(os.environ)
        if threads is not None:
            environment |= dict.fromkeys(THREADS, str(threads))
            environment.setdefault("OMP_WAIT_POLICY", "passive")  # threads that spin while they wait starve others
        self._process = subprocess.Popen(
            [sys.executable, "-c", START.format(module=module), str(theirs.fileno()), json.dumps(sys.path)],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=self._said,
            start_new_session=True,  # Ctrl-C is the command's matter, and what a job starts is ended with it
            env=environment,
        )
        theirs.close()
        self.job: Job | None = None
        self.last: Job | None = None
        self.has_started = self.is_ready = False
        self.verdict: tuple[str, str] | None = None
        self._since = 0.0
        with suppress(OSError):  # it is gone already; whoever reads from it will see
            self.connection.send(setup)

    @property
    def pid(self) -> int:
        """Of the process, and of the group of all that it starts."""
        return self._process.pid

    @property
    def seconds(self) -> float:
        """How long it has been at its job."""
        return time.monotonic() - self._since

    @property
    def is_gone(self) -> bool:
        """Whether it has ended; a child of its may hold its end of the connection open."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def take(self, job: Job, candidates: dict[str, str]) -> None:
        """Be told a job."""
        self.job, self._since = job, time.monotonic()
        job.status = "running"
        order = Order(job.number, job.overrides, tuple(job.config.plugins), candidates, job.tree)
        with suppress(OSError):
            self.connection.send(order)

    def leave(self) -> Job:
        """Be done with its job, which is returned."""
        assert self.job is not None
        job, self.job, self.last = self.job, None, self.job
        job.seconds = self.seconds
        return job

    def kill(self, status: str = "", reason: str = "") -> None:
        """End it, and all that it has started, at once; the job it was at ends so."""
        self.verdict = (status, reason) if status else None
        with suppress(OSError):
            os.killpg(self.pid, signal.SIGKILL)

    def fate(self) -> str:
        """Return how a process ended that was not told to, in words."""
        deadline = time.monotonic() + PATIENCE
        while not self.is_gone and time.monotonic() < deadline:
            time.sleep(0.01)
        self.kill(*(self.verdict or ()))  # what it has started; its own pid is not given away before `wait`
        code = self._process.wait()
        if code >= 0:
            return f"its process left with exit status {code}"
        name = signal.Signals(-code).name
        more = ": out of memory, or kill -9" if name == "SIGKILL" else ""
        return f"its process was killed by {name}{more}"

    def last_words(self) -> str:
        """Return the end of what it said outside of any job."""
        self._said.seek(0)
        return self._said.read().decode(errors="replace").strip()[-2_000:]

    def close(self) -> None:
        """Let a process go that has no job."""
        self.connection.close()
        if not self.has_started:
            self.kill()
        try:
            self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            self._process.wait()
        self._said.close()


def memory_of(pid: int) -> int:
    """Return the bytes that a process and all that it has started hold for themselves; mapped files are not counted."""
    return sum(_own_memory(each) for each in _family(pid))


def _own_memory(pid: int) -> int:
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines()
        kilobytes = [line.split()[1] for line in lines if line.startswith(("RssAnon:", "RssShmem:", "VmSwap:"))]
        return 1024 * sum(map(int, kilobytes))
    return 0


def _family(pid: int) -> Iterator[int]:
    yield pid
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in task.read_text(encoding="ascii").split():
                yield from _family(int(child))
