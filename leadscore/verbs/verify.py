"""`leadscore verify RUN`: is the run what its record says, to the last bit."""

from argparse import Namespace
from dataclasses import asdict

from leadscore.record import Run, open_run
from leadscore.repetition import Verification, verify_run
from leadscore.verbs.say import say, say_json

__all__ = ["verify"]


def verify(arguments: Namespace) -> int:
    """Run it again and compare the predictions; 0 when they are the same, 1 when not."""
    run = open_run(arguments.names[0], arguments.roots)
    if arguments.parity:
        return _parity(run, arguments)
    found = verify_run(run, plugins=arguments.plugin or (), data_dir=arguments.data_dir)
    if arguments.json:
        say_json({"run_id": run.run_id, **asdict(found)})
    else:
        _say(run, found)
    return 0 if found.same else 1


def _parity(run: Run, arguments: Namespace) -> int:
    """Score its validation rows and compare; 0 when they are the recorded ones, 1 when not."""
    from leadscore.scoring.parity import parity_of

    found = parity_of(run, plugins=arguments.plugin or (), data_dir=arguments.data_dir)
    if arguments.json:
        say_json({"run_id": run.run_id, **found})
    else:
        say(f"run {run.run_id}: {found['sentence']}")
    return 0 if found["holds"] else 1


def _say(run: Run, found: Verification) -> None:
    if found.same:
        say(f"run {run.run_id} gave the same {found.rows:,} predictions again, bit for bit")
    else:
        largest = "" if found.largest is None else f"; the largest difference is {found.largest:.3g}"
        say(f"run {run.run_id} did not give the same again: {found.differing:,} of {found.rows:,} predictions{largest}")
    for part in found.moved:
        say(f"moved     {part}")
    if not found.same and not found.moved:
        say("moved     nothing that the identity holds: the same identity should have given the same predictions")
