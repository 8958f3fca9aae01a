"""A command's sweep, from its jobs to its table."""

import shlex
import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from leadscore import __version__
from leadscore.config.checks import check_tree, checked_tree
from leadscore.config.command import check_each
from leadscore.config.schema import Config
from leadscore.config.sets import chosen_sets
from leadscore.errors import LeadscoreError, RecordError
from leadscore.memory import Memory
from leadscore.record.find import run_folders
from leadscore.record.lines import write_whole
from leadscore.record.shelf import is_at_work
from leadscore.record.write import record_end
from leadscore.sweeps.changes import changes_since
from leadscore.sweeps.cores import crowding, refuse_unwatched
from leadscore.sweeps.files import job_json, write_csv
from leadscore.sweeps.folder import FILE, SweepFolder
from leadscore.sweeps.jobs import Job
from leadscore.sweeps.known import Recorded, named_of
from leadscore.sweeps.loop import Loop
from leadscore.sweeps.outcome import Group, Luck, grouped, luck
from leadscore.sweeps.page import sweep_page
from leadscore.sweeps.process import Process
from leadscore.sweeps.progress import Progress
from leadscore.sweeps.results import Results
from leadscore.sweeps.show import show_sweep
from leadscore.sweeps.worker import Setup, packed

__all__ = ["Command", "Stopped", "Sweep"]

TABLE, PAGE = "sweep.csv", "sweep.html"
BETWEEN = 2.0  # seconds between two writings of a sweep's state, which its run folders know anyway


class Stopped(KeyboardInterrupt):
    """A signal stopped the sweep; what ran has ended by now.

    Attributes
    ----------
    signal : int
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {'Ctrl-C' if number == signal.SIGINT else 'SIGTERM'}")
        self.signal = number


@dataclass(frozen=True)
class Command:
    """The command that started a sweep.

    Attributes
    ----------
    overrides : list of str
        As written.
    config_dir : str or None
    """

    overrides: list[str]
    config_dir: str | None

    def __str__(self) -> str:
        flags = [] if self.config_dir is None else ["--config-dir", self.config_dir]
        return shlex.join(["python", "-m", "leadscore.train", "-m", *flags, *self.overrides])


class Sweep:
    """The jobs of one command; a sweeper may launch them in several batches.

    Parameters
    ----------
    command : Command
    check : callable
        Refuses of a job's config what can be refused before any data are read.
    """

    def __init__(self, command: Command, check: Callable[[Config], Any]) -> None:
        self.command, self._check = command, check
        self._checked: dict[tuple[str, ...], tuple[Config, bytes]] = {}
        self.jobs: list[Job] = []
        self.results = Results()
        self.started = datetime.now(UTC)
        self._folder: SweepFolder | None = None
        self._memory = Memory()
        self._processes: list[Process] = []
        self._written = 0.0
        self._unwritten = ""

    def take(self, path: Path) -> SweepFolder:
        """Take the sweep's folder, once."""
        if self._folder is None:
            self._folder = SweepFolder(path, self.command.overrides)
        return self._folder

    def check(self, loader: Any, master: Any, jobs: Sequence[Sequence[str]]) -> None:
        """Let Hydra compose all jobs, and refuse all of them if one is wrong.

        Raises
        ------
        LeadscoreError
            Saying which job it is about.
        """

        def checked(overrides: list[str]) -> tuple[Config, bytes]:
            tree = checked_tree(overrides, loader, lambda: loader.load_sweep_config(master, overrides))
            config = check_tree(tree, chosen_sets(tree.hydra))
            self._check(config)
            return config, packed(tree)

        for overrides, found in check_each(map(list, jobs), len(jobs), checked):
            self._checked[tuple(overrides)] = found

    @property
    def unfinished(self) -> list[Job]:
        """The jobs that have no result."""
        return [job for job in self.jobs if not job.worked]

    def launch(
        self, setup: Setup, overrides: Sequence[Sequence[str]], first: int, at_once: int, threads: int | None
    ) -> list[Job]:
        """Do a batch of jobs and return them.

        Parameters
        ----------
        setup : Setup
        overrides : sequence of sequences of str
            Each job's.
        first : int
            The number of the first one.
        at_once : int
            Processes.
        threads : int or None
            Of each; None leaves that to the environment.

        Raises
        ------
        Stopped
            By a signal, when the jobs that ran have ended.
        LeadscoreError
            When no process can be started, or the folder is another sweep's.
        """
        folder = self.take(setup.folder)
        batch = [self._job(setup, first + at, each) for at, each in enumerate(overrides)]
        self.jobs += batch
        refuse_unwatched(batch)
        recorded = self._recorded(folder)
        with Progress(self.jobs, self.results.measured) as progress:
            for sentence in changes_since(folder.before, batch) if not first else ():
                progress.say(sentence)
            if (crowded := crowding(batch, at_once)) is not None:
                progress.say(crowded)
            self._write(folder)
            loop = Loop(
                batch,
                self._processes,
                lambda: Process(setup, threads),
                at_once,
                recorded,
                progress,
                lambda job: self._ended(job, folder, recorded),
            )
            loop.run()
        if loop.signal is not None:
            raise Stopped(loop.signal)
        return batch

    def _job(self, setup: Setup, number: int, overrides: Sequence[str]) -> Job:
        """Return a job as it was checked."""
        if tuple(overrides) not in self._checked:  # of a sweeper that searches
            self.check(setup.loader, setup.master, [overrides])
        config, tree = self._checked.pop(tuple(overrides))
        return Job(number, tuple(overrides), config, named_of(config, self._memory), tree=tree)

    def _recorded(self, folder: SweepFolder) -> Recorded:
        """Return what was run before, after settling what a killed sweep left in this folder."""
        if folder.before is not None and len(self.jobs):
            for path in run_folders(folder.path):
                if not is_at_work(path):
                    record_end(
                        path, self.jobs[0].config.tracking, "interrupted", "the process ended before the run did"
                    )
        return Recorded(folder.path)

    def _ended(self, job: Job, folder: SweepFolder, recorded: Recorded) -> None:
        """Take in what a job left, and write the sweep down with it."""
        self.results.read(job, folder, recorded)
        if time.monotonic() - self._written > BETWEEN:
            self._write(folder)

    def _write(self, folder: SweepFolder, groups: Sequence[dict[str, Any]] = ()) -> None:
        """Write `sweep.json`; where that fails, the run folders still say all of it."""
        content = {
            "overrides": self.command.overrides,
            "config_dir": self.command.config_dir,
            "directory": str(Path.cwd()),
            "started": self.started.isoformat(timespec="seconds"),
            "leadscore": __version__,
            "jobs": [self._entry(job, folder) for job in self.jobs],
            "groups": list(groups),
        }
        self._written = time.monotonic()
        try:
            folder.write(content)
            self._unwritten = ""
        except RecordError as error:
            self._unwritten = str(error)

    def _entry(self, job: Job, folder: SweepFolder) -> dict[str, Any]:
        """Return what is to be said of a job; one that has not started keeps what an earlier start said of it."""
        then = folder.entries.get(job.number)
        if job.status == "waiting" and then is not None and then.get("overrides") == list(job.overrides):
            return then
        return job_json(job, self.results.measured.get(job.number), folder.path)

    def close(self) -> None:
        """Let the processes go, show the table, write it, and let others into the folder."""
        for process in self._processes:
            process.close()
        folder = self._folder
        if folder is None:
            return
        try:
            if self.jobs:
                self._conclude(folder)
        finally:
            folder.close()

    def _conclude(self, folder: SweepFolder) -> None:
        by_number = {job.number: job for job in self.jobs}
        groups = grouped([(by_number[number], found) for number, found in sorted(self.results.measured.items())])
        root = Path(self.jobs[0].config.tracking.root)
        lucks = [luck(group, root) for group in groups]
        notes = self.results.notes
        self._write(folder, [_group_json(group, found) for group, found in zip(groups, lucks, strict=True)])
        try:
            write_csv(folder.path / TABLE, self.jobs, self.results.measured)
            page = sweep_page(self.jobs, groups, lucks, notes, folder.path, str(self.command))
            write_whole(folder.path / PAGE, page.encode())
        except (LeadscoreError, OSError) as error:
            self._unwritten = self._unwritten or str(error)
        if self._unwritten:
            notes.append(f"the sweep's own files are not up to date ({self._unwritten}); each run's folder is")
        show_sweep(self.jobs, groups, lucks, notes, folder.path, (PAGE, TABLE, FILE))


def _group_json(group: Group, found: Luck) -> dict[str, Any]:
    return {
        "validation_hash": group.validation_hash,
        "horizon": group.horizon,
        "rows": group.rows,
        "positives": group.positives,
        "jobs": [job.number for job, _ in group.jobs],
        **asdict(found),
    }
