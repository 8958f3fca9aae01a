"""A sweep's table as files."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from leadscore.record.lines import write_whole
from leadscore.record.log import safe_text
from leadscore.sweeps.jobs import Job
from leadscore.sweeps.outcome import Measured

__all__ = ["job_json", "seen_from", "swept", "values_of", "write_csv"]

NUMBERS = ("auc", "low", "high", "precision", "horizon", "rows", "positives", "validation_hash", "identity")
HEADINGS = {"low": "auc_low", "high": "auc_high", "precision": "precision_at_0_8_recall"}


def values_of(job: Job) -> dict[str, str]:
    """Return what a job's overrides set, by key."""
    return {key: value for key, _, value in (override.partition("=") for override in job.overrides)}


def swept(jobs: Sequence[Job]) -> list[str]:
    """Return the keys in which the jobs differ, in the order of their overrides."""
    values = [values_of(job) for job in jobs]
    keys = dict.fromkeys(key for each in values for key in each)
    return [key for key in keys if len({each.get(key) for each in values}) > 1]


def job_json(job: Job, found: Measured | None, folder: Path) -> dict[str, Any]:
    """Return all that is known of a job."""
    return {
        "number": job.number,
        "overrides": list(job.overrides),
        "status": job.status,
        "reason": job.reason or None,
        "run_id": job.run_id,
        "folder": None if job.folder is None else seen_from(folder, job.folder),
        "seconds": round(job.seconds, 3),
        "measured": None if found is None else asdict(found),
        "named": job.named,
    }


def write_csv(path: Path, jobs: Sequence[Job], results: Mapping[int, Measured]) -> None:
    """Write one row a job."""
    keys = swept(jobs)
    headings = [HEADINGS.get(name, name) for name in NUMBERS]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["job", "status", "run_id", *keys, *headings, "config_hash", "seconds", "folder", "reason"])
    for job in jobs:
        values, found = values_of(job), results.get(job.number)
        numbers = [None if found is None else getattr(found, name) for name in NUMBERS]
        folder = "" if job.folder is None else seen_from(path.parent, job.folder)
        texts = [safe_text(values.get(key, "")) for key in keys]
        more = [job.named["config_hash"], f"{job.seconds:.3f}", safe_text(folder), safe_text(job.reason)]
        writer.writerow([job.number, job.status, job.run_id, *texts, *numbers, *more])
    write_whole(path, buffer.getvalue().encode(errors="backslashreplace"))


def seen_from(folder: Path, path: Path) -> str:
    """Return a path as seen from a folder, where it lies below it; else as it is."""
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
