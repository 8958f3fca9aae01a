"""How a machine is shared out among the jobs that run at the same time."""

from collections.abc import Sequence
from pathlib import Path

from leadscore.errors import ConfigError
from leadscore.model.registry import parts_of
from leadscore.sweeps.jobs import Job

__all__ = ["crowding", "refuse_unwatched", "share_out"]


def cores() -> int:
    """Return the cores that this process may use, by affinity and by a container's quota."""
    from joblib import cpu_count

    return int(cpu_count())


def share_out(jobs: int | None, threads: int | None) -> tuple[int, int]:
    """Return how many jobs run at a time and the threads of each: together the cores, where nobody says otherwise.

    Raises
    ------
    ConfigError
    """
    for name, value in (("jobs", jobs), ("threads", threads)):
        if value is not None and value < 1:
            raise ConfigError(f"hydra.launcher.{name}={value}: at least 1, or null")
    if threads is None:
        threads = 1 if jobs is None else max(1, cores() // jobs)
    return jobs or max(1, cores() // threads), threads


def crowding(jobs: Sequence[Job], at_once: int) -> str | None:
    """Return a sentence where the jobs' own configs want more processes and threads than there are cores."""
    at_once = min(at_once, len(jobs))
    each, key = max((_wanted(job) for job in jobs), default=(1, ""))
    if at_once == 1 or each == 1 or at_once * each <= cores():
        return None
    wanted = f"{at_once} jobs at a time with {key}={each} want {at_once * each} cores of {cores()}"
    return f"{wanted}; that is slower, not faster"


def _wanted(job: Job) -> tuple[int, str]:
    threads = [
        (int(getattr(part, "num_threads", 1)), f"{key}.num_threads") for key, part in parts_of(job.config.model).items()
    ]
    return max([(job.config.compute.workers, "compute.workers"), *threads])


def refuse_unwatched(jobs: Sequence[Job]) -> None:
    """Refuse a limit that cannot be kept on this system."""
    if any(job.config.sweep.memory_gb is not None for job in jobs) and not Path("/proc/self/status").exists():
        raise ConfigError("sweep.memory_gb: this system does not say what a process takes (it has no /proc)")
