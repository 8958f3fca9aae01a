"""What is not as it was when a sweep was started before, and which of its jobs that touches."""

from collections.abc import Mapping, Sequence
from typing import Any

from leadscore.sweeps.jobs import Job, listed

__all__ = ["changes_since"]

WORDS = {
    "code_hash": "feature or model code has changed since",
    "engine_hash": "leadscore's own code has changed since",
    "environment": "Python or packages have changed since",
    "seed": "the seed has changed since",
}


def changes_since(before: Mapping[str, Any] | None, jobs: Sequence[Job]) -> list[str]:
    """Return a sentence for each part of the jobs' identity that has changed, with the jobs that it touches.

    Parameters
    ----------
    before : mapping or None
        `sweep.json` as it was left; None for a new sweep, of which there is nothing to say.
    jobs : sequence of Job
    """
    if before is None:
        return []
    then = {each.get("number"): each for each in before.get("jobs", ())}
    moved: dict[str, list[int]] = {}
    for job in jobs:
        named = (then.get(job.number) or {}).get("named")
        if named is None or list(job.overrides) != then[job.number].get("overrides"):
            continue
        for part, words in WORDS.items():
            if named.get(part) != job.named[part]:
                moved.setdefault(words, []).append(job.number)
        parts = [name for name, value in job.named["parts"].items() if (named.get("parts") or {}).get(name) != value]
        if parts:
            moved.setdefault(f"the config has changed since ({', '.join(parts)})", []).append(job.number)
    again = "which run again unless that was run, too"
    sentences = [f"{what}: {listed(numbers)} of {len(jobs)}, {again}" for what, numbers in moved.items()]
    done = [job.number for job in jobs if (then.get(job.number) or {}).get("status") in ("done", "known")]
    return [f"going on with a sweep of {len(jobs)} jobs, {len(done)} of them done", *sentences]
