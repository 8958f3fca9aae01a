"""`leadscore runs prune`: old run folders, shown first and deleted only with --yes."""

import shutil
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from leadscore.errors import ConfigError, RecordError, raise_all
from leadscore.record.prune import Prunable, Wanted, delete, leftovers, prunable
from leadscore.times import parse_duration
from leadscore.verbs.data import spoken_size
from leadscore.verbs.say import say, say_json, say_table

__all__ = ["prune"]


def prune(arguments: Namespace) -> int:
    """Show what the rules let go, and delete it with --yes; 1 when something could not be deleted."""
    wanted = _wanted(arguments)
    roots = [Path(root) for root in arguments.roots]
    found = prunable(roots, wanted)
    going = [each for each in found if not each.reason]
    problems = _delete(going, roots) if arguments.yes else []
    if arguments.json:
        say_json(
            {
                "deleted": arguments.yes,
                "size": sum(each.size for each in going),
                "runs": [_json(each) for each in going],
                "stay": [{**_json(each), "reason": each.reason} for each in found if each.reason],
                "problems": problems,
            }
        )
    else:
        _say(found, going, deleted=arguments.yes)
        for problem in problems:
            say(f"PROBLEM  {problem}")
    return 1 if problems else 0


def _wanted(arguments: Namespace) -> Wanted:
    problems, older_than = [], None
    if arguments.keep is None and arguments.older_than is None and not arguments.status:
        problems.append("runs prune: of what? --keep N, --older-than 90d or --status failed")
    if arguments.keep is not None and arguments.keep < 0:
        problems.append(f"--keep {arguments.keep}: a number of runs, 0 or more")
    if arguments.older_than is not None:
        try:
            older_than = parse_duration(arguments.older_than)
        except ValueError as error:
            problems.append(f"--older-than: {error}")
    raise_all(ConfigError, problems)
    return Wanted(arguments.keep, older_than, arguments.status or ())


def _delete(going: Sequence[Prunable], roots: Sequence[Path]) -> list[str]:
    problems = []
    for each in going:
        try:
            delete(each.run.folder)
        except RecordError as error:
            problems.append(str(error))
    for folder in leftovers(roots):
        shutil.rmtree(folder, ignore_errors=True)
    return problems


def _say(found: Sequence[Prunable], going: Sequence[Prunable], *, deleted: bool) -> None:
    if found:
        say_table(
            ("run", "status", "size", "folder", ""),
            [
                (each.run.run_id, each.status, spoken_size(each.size), each.run.folder, _stays(each.reason))
                for each in found
            ],
            whole=("run", "status", "size"),
            right=("size",),
        )
        say()
    what = f"{len(going):,} {'run' if len(going) == 1 else 'runs'}, {spoken_size(sum(each.size for each in going))}"
    if deleted:
        say(f"deleted {what}; rows in the log stay")
    elif going:
        say(f"would delete {what}; nothing is deleted without --yes")
    else:
        say("nothing to delete")


def _stays(reason: str) -> str:
    return reason and f"stays: {reason}"


def _json(each: Prunable) -> dict[str, Any]:
    return {
        "run_id": each.run.run_id,
        "status": each.status,
        "started": each.run.identity.get("started"),
        "size": each.size,
        "folder": str(each.run.folder),
    }
