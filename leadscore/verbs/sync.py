"""`leadscore runs sync`: make the copies at Weights & Biases that are missing, oldest run first."""

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from leadscore.errors import ConfigError
from leadscore.record.find import Run, all_runs
from leadscore.record.mirror import Mirrored, mirror, settings_of, waits
from leadscore.times import parse_duration
from leadscore.verbs.say import say, say_json, say_table

__all__ = ["sync"]


@dataclass(frozen=True)
class Tried:
    """A run and what became of its copy; None for one that was not tried, because the one before could not be made."""

    run: Run
    copy: Mirrored | None

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        copy = self.copy
        return {
            "run_id": self.run.run_id,
            "folder": str(self.run.folder),
            "synced": copy is not None and copy.synced,
            "reason": copy.reason if copy is not None else "not tried",
            "url": copy.url if copy is not None else None,
        }


def sync(arguments: Namespace) -> int:
    """Copy every finished run that waits, and say what became of each; 1 when any still waits."""
    tried = _copies(_waiting(arguments.roots), _checked(arguments.timeout))
    done = sum(each.copy is not None and each.copy.synced for each in tried)
    if arguments.json:
        say_json([each.to_json() for each in tried])
    elif not tried:
        say("nothing to copy: no finished run with tracking=wandb waits under " + ", ".join(arguments.roots))
    else:
        rows = [(told["run_id"], told["url"] or told["reason"]) for told in map(Tried.to_json, tried)]
        say_table(("run", "copy"), rows, whole=("run",))
        say(f"\n{done} of {len(tried)} copied")
    return 0 if done == len(tried) else 1


def _checked(timeout: str | None) -> str | None:
    if timeout is None:
        return None
    try:
        length = parse_duration(timeout)
    except ValueError as error:
        raise ConfigError(f"--timeout: {error}") from None
    if not length:
        raise ConfigError("--timeout must be longer than 0d")
    return timeout


def _waiting(roots: Sequence[str]) -> list[Run]:
    """Return the finished runs that want a copy and have none; oldest first, so that `latest` is the latest."""
    return [run for run in all_runs(roots) if run.identity.get("status") == "done" and waits(run.folder)]


def _copies(runs: Sequence[Run], timeout: str | None) -> list[Tried]:
    """Copy run by run, also where WANDB_MODE or the record says offline; stop where no other run would fare better."""
    tried: list[Tried] = []
    for number, run in enumerate(runs):
        settings = settings_of(run)
        copy = mirror(run.folder, replace(settings, timeout=timeout or settings.timeout), mode="online")
        tried.append(Tried(run, copy))
        if copy.failed and not copy.of_run:
            return tried + [Tried(other, None) for other in runs[number + 1 :]]
    return tried
