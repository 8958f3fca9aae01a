"""What Hydra calls when a command has `-m`: our sweeper, and the launchers `sequential` and `parallel`."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from leadscore.config.schema import Config
from leadscore.config.sweeps import LAUNCHER, SWEEPER
from leadscore.errors import LeadscoreError
from leadscore.sweeps.cores import share_out
from leadscore.sweeps.jobs import Job
from leadscore.sweeps.sweep import Command, Sweep
from leadscore.sweeps.worker import Setup

Plugins.instance()  # loads Hydra's own plugins once more: a class made from an earlier one would not be of their kind
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper  # noqa: E402

__all__ = ["GridSweeper", "SweepLauncher", "sweeping"]


class SweepLauncher(Launcher):
    """Does a batch of jobs in processes of its own.

    Parameters
    ----------
    jobs : int, optional
        At a time; None: as many as fit the cores.
    threads : int, optional
        Of each job; None: 1, or the cores divided among `jobs`.
    """

    sweep: Sweep | None = None  # the command's, for Hydra makes the launcher

    def __init__(self, **settings: int | None) -> None:
        # The sequential launcher has no settings: one job, and the threads that the environment gives it.
        self.settings = settings

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        """Be told what all jobs have in common."""
        self.loader, self.config = hydra_context.config_loader, config

    def launch(self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int) -> Sequence[JobReturn]:
        """Do the jobs. One that failed has NaN for its value: a sweeper that searches goes on with the others."""
        sweep = SweepLauncher.sweep
        try:
            assert sweep is not None  # the door refuses our launchers where it opens no sweep
            at_once, threads = share_out(**self.settings) if self.settings else (1, None)
            setup = Setup(self.loader, self.config, Path(str(self.config.hydra.sweep.dir)).absolute())
            jobs = sweep.launch(setup, job_overrides, initial_job_idx, at_once, threads)
        except LeadscoreError as error:
            sys.exit(f"leadscore: {error}")
        if any(job.status == "waiting" for job in jobs):  # what the sweeper would ask next is not asked
            sys.exit("leadscore: a job failed, and no other was started (sweep.fail_fast=true)")
        return [_returned(job) for job in jobs]


class GridSweeper(BasicSweeper):
    """Hydra's own sweeper, but that every job is checked before the first one starts, and composed once for both."""

    def sweep(self, arguments: list[str]) -> Any:
        """Do every combination."""
        assert self.hydra_context is not None
        loader, sweep = self.hydra_context.config_loader, SweepLauncher.sweep
        if sweep is not None:
            parsed = OverridesParser.create(config_loader=loader).parse_overrides(arguments)
            (jobs,) = self.split_arguments(parsed, None)
            try:
                sweep.check(loader, self.config, jobs)
            except LeadscoreError as error:
                sys.exit(f"leadscore: {error}")
        return super().sweep(arguments)

    def validate_batch_is_legal(self, batch: Sequence[Sequence[str]]) -> None:
        """Do nothing: `sweep` has checked more, and said what is wrong in our words."""


def _returned(job: Job) -> JobReturn:
    value = float("nan") if job.value is None else job.value
    done = JobReturn(overrides=list(job.overrides), status=JobStatus.COMPLETED, task_name="train")
    done.return_value = value
    return done


def _register() -> None:
    """Make our plugins known under the names that their configs have.

    Hydra accepts plugins of the package `hydra_plugins` alone, and imports all of that package for every application
    of an environment. Ours is put there by the door that means it, when it is meant.
    """
    plugins = Plugins.instance()  # looks into the package first, if there is one
    package, module, _ = LAUNCHER.split(".")
    if package not in sys.modules:
        sys.modules[package] = ModuleType(package)
    setattr(sys.modules[package], module, sys.modules[__name__])
    sys.modules[f"{package}.{module}"] = sys.modules[__name__]
    for name, plugin in ((LAUNCHER, SweepLauncher), (SWEEPER, GridSweeper)):
        plugin.__module__, _, plugin.__qualname__ = name.rpartition(".")
        plugins.register(plugin)


@contextmanager
def sweeping(command: Command, check: Callable[[Config], Any]) -> Iterator[Sweep]:
    """Let Hydra find the launchers; at the end, however it comes, the sweep's table is shown."""
    _register()
    SweepLauncher.sweep = Sweep(command, check)
    try:
        for override in command.overrides:
            key, _, folder = override.partition("=")
            path = Path(folder.strip("'\""))
            if key == "hydra.sweep.dir" and "$" not in folder and path.exists():
                SweepLauncher.sweep.take(path)  # before Hydra writes into it
        yield SweepLauncher.sweep
    finally:
        try:
            SweepLauncher.sweep.close()
        finally:
            SweepLauncher.sweep = None
