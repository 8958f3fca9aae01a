"""The config's `sweep` node, and our launchers and sweeper as choices of Hydra's groups."""

from dataclasses import dataclass, field

from leadscore.config.fields import duration, number

__all__ = ["CHOICES", "LAUNCHER", "MOST", "SWEEPER", "SweepConfig"]

LAUNCHER = "hydra_plugins.leadscore.SweepLauncher"  # Hydra takes plugins of that package alone
SWEEPER = "hydra_plugins.leadscore.GridSweeper"
MOST = 1_000  # jobs of one command, where nobody says otherwise


@dataclass
class SweepConfig:
    """How the jobs of a command with `-m` are gone through; a single run has no use for it."""

    max_jobs: int = number(MOST, at_least=1)  # of one command
    rerun: bool = False  # run jobs again whose results are recorded
    fail_fast: bool = False  # start no job after one has failed
    timeout: str | None = duration(None)  # of each job; one that takes longer is killed
    memory_gb: float | None = number(None, above=0)  # of each job; one that takes more is killed


@dataclass
class SequentialLauncher:
    """One job at a time, each in the same process beside the command's own."""

    _target_: str = LAUNCHER


@dataclass
class ParallelLauncher:
    """Several processes, each of which takes one job after the other."""

    _target_: str = LAUNCHER
    jobs: int | None = None  # at a time; null: as many as fit the cores at `threads` each
    threads: int | None = None  # of each; null: 1, or where `jobs` is given, the cores divided among them


@dataclass
class GridSweeper:
    """Every combination of the values that are swept over, all of them checked before the first one starts."""

    _target_: str = SWEEPER
    max_batch_size: int | None = None  # jobs that are launched at once; null: all
    params: dict[str, str] | None = field(default=None)  # Hydra's own sweeper has it; values stand on the command line


# Hydra's group -> choice -> its config.
CHOICES: dict[str, dict[str, type]] = {
    "hydra/launcher": {"sequential": SequentialLauncher, "parallel": ParallelLauncher},
    "hydra/sweeper": {"grid": GridSweeper},
}
