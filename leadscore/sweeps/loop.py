"""Jobs to processes, until none is left, one failed too many, or somebody stops it."""

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any

from leadscore.errors import LeadscoreError
from leadscore.record.write import record_end
from leadscore.sweeps.jobs import Job
from leadscore.sweeps.known import Recorded
from leadscore.sweeps.process import Process, memory_of
from leadscore.sweeps.progress import Progress
from leadscore.times import parse_duration

__all__ = ["Loop"]

POLL = 0.2  # seconds between two looks at limits
GIGABYTE = 1e9


class Loop:
    """Works through jobs.

    Parameters
    ----------
    jobs : sequence of Job
        Those that wait are done.
    processes : list of Process
        Those that an earlier batch has left; what is started here joins them, and outlives the loop.
    start : callable
        Starts a process.
    at_once : int
        Processes.
    recorded : Recorded
        What has been run before; what is run here joins it.
    progress : Progress
        Told of each job that comes to its end.

    Attributes
    ----------
    signal : int or None
        What stopped it, after the jobs that were running have ended.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        processes: list[Process],
        start: Callable[[], Process],
        at_once: int,
        recorded: Recorded,
        progress: Progress,
        ended: Callable[[Job], None],
    ) -> None:
        self.jobs, self.start, self.at_once = jobs, start, at_once
        self.recorded, self.progress, self.ended = recorded, progress, ended
        self.processes = processes
        self.signal: int | None = None
        self.stops = 0  # 1: no job is started any more, 2: those that run are ended
        self.has_failed = False

    @property
    def running(self) -> list[Job]:
        """The jobs that processes are at."""
        return [process.job for process in self.processes if process.job is not None]

    def run(self) -> None:
        """Do all jobs."""
        try:
            with self._listening():
                while self._next():
                    self._hear()
                    self._watch()
                    self.progress.show()
        finally:
            for process in [each for each in self.processes if each.job is not None]:
                process.kill("cancelled", "the sweep was stopped by an error")
                self._lost(process)

    def _next(self) -> bool:
        """Hand out jobs; return whether there is something to wait for."""
        waiting = [job for job in self.jobs if job.status == "waiting"]
        if self.stops or (self.has_failed and any(job.config.sweep.fail_fast for job in self.jobs)):
            waiting = []
        for process in list(self.processes):
            if process.is_ready and process.job is None and (job := self._choose(process, waiting)) is not None:
                waiting.remove(job)
                if process.last is not None and process.last.config.plugins != job.config.plugins:
                    self._replace(process)  # modules once imported stay: another job's must not be there
                else:
                    self._give(process, job)
        wanted = min(self.at_once, len(waiting) + len(self.running))
        while len(self.processes) < wanted and waiting:
            self.processes.append(self.start())
        return bool(waiting or self.running)

    def _choose(self, process: Process, waiting: Sequence[Job]) -> Job | None:
        """Return the job to do next: one of the data that the process has, else of data that nobody is at."""
        busy = {job.key for job in self.running}
        free = [job for job in waiting if job.key not in busy]  # its twin, once done, makes it known
        if process.last is not None:
            for job in free:
                if job.shares_data(process.last):
                    return job
        for job in free:
            if not any(job.shares_data(other) for other in self.running):
                return job
        return free[0] if free else None

    def _give(self, process: Process, job: Job) -> None:
        sweep, root = job.config.sweep, job.config.tracking.root
        candidates = {} if sweep.rerun else self.recorded.candidates(root, job.named["config_hash"])
        process.take(job, candidates)

    def _replace(self, process: Process) -> None:
        self.processes.remove(process)
        process.close()
        self.processes.append(self.start())

    def _hear(self) -> None:
        by_connection: dict[Any, Process] = {process.connection: process for process in self.processes}
        for connection in wait(list(by_connection), timeout=POLL):
            process = by_connection[connection]
            try:
                self._told(process, *process.connection.recv())
            except (EOFError, OSError):
                self._lost(process)

    def _told(self, process: Process, word: str, *more: Any) -> None:
        if word == "ready":
            process.is_ready = process.has_started = True
        elif word == "started":
            assert process.job is not None
            (process.job.folder,) = more
        else:
            status, value, reason = more
            job = process.leave()
            process.is_ready = False  # until it says so
            if status == "known":
                job.run_id, reason = reason, ""
            job.value = value
            self._end(job, status, reason)

    def _lost(self, process: Process) -> None:
        """Settle the job of a process that is gone; the others go on."""
        self.processes.remove(process)
        fate, said = process.fate(), process.last_words()
        process.close()
        if process.job is None:
            if not process.has_started:
                raise LeadscoreError(f"a process for jobs did not start: {fate}; it said: {said}")
            return  # killed while it waited: another one takes its place
        status, reason = process.verdict or ("interrupted", fate)
        job = process.leave()
        if job.folder is not None:
            status = record_end(job.folder, job.config.tracking, status, reason) or status
        self._end(job, status, "" if status == "done" else reason)

    def _end(self, job: Job, status: str, reason: str) -> None:
        job.status, job.reason = status, reason
        self.has_failed |= not job.worked
        self.ended(job)
        self.progress.tell(job)

    def _watch(self) -> None:
        """End what takes too long or too much."""
        for process in list(self.processes):
            if process.is_gone and not process.connection.poll():
                self._lost(process)
                continue
            if process.job is None:
                continue
            sweep = process.job.config.sweep
            if self.stops > 1:
                process.kill("cancelled", "stopped while it ran")
            elif sweep.timeout is not None and process.seconds > parse_duration(sweep.timeout).total_seconds():
                process.kill("failed", f"took longer than sweep.timeout={sweep.timeout}")
            elif sweep.memory_gb is not None and (used := memory_of(process.pid)) > sweep.memory_gb * GIGABYTE:
                process.kill("failed", f"took {used / GIGABYTE:.2f} GB, more than sweep.memory_gb={sweep.memory_gb:g}")

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Ctrl-C once: the running jobs end; twice, or SIGTERM: they are ended."""

        def hear(number: int, _: object) -> None:
            self.signal = number
            self.stops += 1 if number == signal.SIGINT else 2
            if self.stops == 1 and self.running:
                self.progress.say(f"finishing {len(self.running)} running; Ctrl-C again stops now")

        before = {number: signal.signal(number, hear) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
