"""A sweep as one self-contained page: the jobs that compete with their intervals, what luck gives, what failed."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from leadscore.record.shelf import REPORT
from leadscore.sweeps.files import seen_from, swept, values_of
from leadscore.sweeps.jobs import Job
from leadscore.sweeps.outcome import Group, Luck, Measured
from leadscore.sweeps.progress import interval
from leadscore.sweeps.worker import SAID

if TYPE_CHECKING:
    from leadscore.report import Picture

__all__ = ["sweep_page"]

DRAWN = 30  # jobs of a picture
LISTED = 1_000  # of a table


def sweep_page(
    jobs: Sequence[Job],
    groups: Sequence[Group],
    lucks: Sequence[Luck],
    notes: Sequence[str],
    folder: Path,
    command: str,
) -> str:
    """Return the page.

    Parameters
    ----------
    jobs : sequence of Job
    groups : sequence of Group
    lucks : sequence of Luck
        One a group.
    notes : sequence of str
    folder : Path
        The sweep's, from which the page links to its runs.
    command : str
        That started it, for a shell.
    """
    from leadscore.report import render_page

    keys = swept(jobs)
    counts = {word: sum(job.status == word for job in jobs) for word in dict.fromkeys(job.status for job in jobs)}
    return render_page(
        "sweep.html.j2",
        name=folder.name,
        command=command,
        resume=shlex.join(["leadscore", "resume", str(folder)]) if not all(job.worked for job in jobs) else "",
        n=len(jobs),
        counts=[(n, "not started" if word == "waiting" else word) for word, n in counts.items()],
        keys=keys,
        groups=[_group(number, *each, keys, folder) for number, each in enumerate(zip(groups, lucks, strict=True))],
        others=[_other(job, keys, folder) for job in jobs if job.reason][:LISTED],
        notes=notes,
    )


def _group(number: int, group: Group, found: Luck, keys: Sequence[str], folder: Path) -> dict[str, Any]:
    return {
        "key": f"rows-{number}",
        "horizon": group.horizon,
        "rows": group.rows,
        "positives": group.positives,
        "validation_hash": group.validation_hash[:8],
        "tried": found.tried,
        "luck": found.luck,
        "picture": _picture(f"auc-{number}", group),
        "jobs": [_row(job, measured, keys, folder) for job, measured in group.jobs[:LISTED]],
        "n": len(group.jobs),
    }


def _row(job: Job, measured: Measured, keys: Sequence[str], folder: Path) -> dict[str, Any]:
    return {
        "number": job.number,
        "link": _link(job, REPORT, folder),
        "values": [values_of(job).get(key, "") for key in keys],
        "auc": interval(measured),
        "precision": measured.precision,
        "status": job.status,
        "run_id": job.run_id,
    }


def _other(job: Job, keys: Sequence[str], folder: Path) -> dict[str, Any]:
    values = [values_of(job).get(key, "") for key in keys]
    return {
        "number": job.number,
        "link": _link(job, SAID, folder),
        "values": values,
        "status": job.status,
        "reason": job.reason,
    }


def _link(job: Job, name: str, folder: Path) -> str:
    """Return where a file of a run lies, as seen from the page; "" where it is not there."""
    if job.folder is None or not (job.folder / name).is_file():
        return ""
    return quote(seen_from(folder, job.folder / name))


def _picture(key: str, group: Group) -> "Picture":
    from leadscore.report import Picture
    from leadscore.report.plots.dots import Dot, dots

    keys = swept([job for job, _ in group.jobs])
    shown = [(job, found) for job, found in group.jobs if found.auc is not None][:DRAWN]
    lines = [Dot(_named(job, keys), float(found.auc or 0), found.low, found.high) for job, found in shown]
    best = f"{interval(group.best[1])}, job {group.best[0].number}"
    first = "" if len(lines) == len(group.jobs) else f", the best {len(lines)} of {len(group.jobs)} jobs"
    picture = Picture(
        key=key,
        title="AUC of each job",
        of=f"{group.rows:,} rows{first}",
        said=f"The best AUC is {best}.",
        note="The lines are 95% intervals of each job alone: where they overlap, jobs may differ all the same. "
        "leadscore diff compares two of them on the same leads.",
    )
    return dots(picture, lines, "AUC") if lines else picture


def _named(job: Job, keys: Sequence[str]) -> str:
    values = values_of(job)
    return f"{job.number}: {' '.join(values.get(key, '') for key in keys)}" if keys else str(job.number)
