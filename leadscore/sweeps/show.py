"""A sweep's table in the terminal."""

from collections.abc import Sequence
from pathlib import Path

from leadscore.sweeps.files import swept, values_of
from leadscore.sweeps.jobs import Job
from leadscore.sweeps.outcome import Group, Luck
from leadscore.sweeps.progress import interval
from leadscore.verbs.say import say, say_table

__all__ = ["show_sweep"]

LONGEST = 300  # characters of a reason; the whole is in the files


def show_sweep(
    jobs: Sequence[Job],
    groups: Sequence[Group],
    lucks: Sequence[Luck],
    notes: Sequence[str],
    folder: Path,
    files: Sequence[str],
) -> None:
    """Print the jobs that compete, the best first, what luck gives, those without a result, and where all lies."""
    keys = swept(jobs)
    for group, found in zip(groups, lucks, strict=True):
        converted = f"{group.positives:,} converted"
        say(f"horizon {group.horizon}, {group.rows:,} rows ({converted}), validation {group.validation_hash[:8]}")
        rows = [
            (
                job.number,
                *(values_of(job).get(key, "") for key in keys),
                interval(measured),
                "-" if measured.precision is None else f"{measured.precision:.3f}",
                job.status,
                job.run_id,
            )
            for job, measured in group.jobs
        ]
        headings = ["job", *keys, "AUC [95%]", "precision", "", "run"]
        say_table(headings, rows, whole=headings[:-1], right=["job", "precision"])
        tried = f"{found.tried:,} {'run was' if found.tried == 1 else 'runs were'} tried on these rows"
        if found.luck is not None:
            tried += f": of so many equal ones the best looks {found.luck:.4f} AUC better by luck"
        say(tried)
        say()
    _show_others(jobs, keys)
    for note in notes:
        say(f"note: {note}")
    numbers = {word: sum(job.status == word for job in jobs) for word in _words(jobs)}
    counts = [f"{n:,} {word}" for word, n in numbers.items() if n]
    say(f"{len(jobs):,} {'job' if len(jobs) == 1 else 'jobs'}: {', '.join(counts)}".replace("waiting", "not started"))
    here = _near(folder)
    say(f"files: {', '.join(str(here / name) for name in files)}")
    if not all(job.worked for job in jobs):
        say(f"to go on: leadscore resume {here}")


def _words(jobs: Sequence[Job]) -> list[str]:
    return list(dict.fromkeys(["done", "known", "failed", *sorted(job.status for job in jobs)]))


def _show_others(jobs: Sequence[Job], keys: Sequence[str]) -> None:
    others = [job for job in jobs if job.reason]
    for job in others:
        values = values_of(job)
        which = " ".join(f"{key}={values.get(key, '')}" for key in keys)
        reason = job.reason if len(job.reason) <= LONGEST else f"{job.reason[:LONGEST]} ..."
        say(
            f"job {job.number} {job.status} ({which}): {reason}"
            if which
            else f"job {job.number} {job.status}: {reason}"
        )
    if others:
        say()


def _near(path: Path) -> Path:
    """Return the path as seen from the current directory, when it lies below it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
