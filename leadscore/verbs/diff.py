"""`leadscore diff A B`: is B better than A, and which parts of their identity moved."""

from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from leadscore.compare import STATISTICS, Scores, Verdict, verdict
from leadscore.errors import ConfigError, did_you_mean
from leadscore.record.find import Run, open_run
from leadscore.record.ledger import family
from leadscore.verbs.say import say, say_json, say_table

__all__ = ["diff"]

SAME, DIFFERS, NOT_COMPARABLE = 0, 1, 2  # of --exit-code
_ABSENT = object()
HASHES = ("config_hash", "code_hash", "engine_hash", "data_hash", "validation_hash")


def diff(arguments: Namespace) -> int:
    """Compare two runs on the leads that both have scored."""
    metric = arguments.metric
    if metric not in STATISTICS:
        raise ConfigError(f"--metric {metric}: {did_you_mean(metric, STATISTICS, 'Metrics')}")
    runs = [open_run(name, arguments.roots) for name in arguments.names]
    found = verdict(*(_scores(run) for run in runs), metric=metric, family=_family(runs[1]))
    moved = list(_moved(*runs))
    if arguments.json:
        say_json({"moved": moved, "verdict": found.to_json()})
    elif arguments.md:
        _say_markdown(runs, moved, found)
    else:
        _say(runs, moved, found)
    if not arguments.exit_code:
        return 0
    if found.answer == "not comparable":
        return NOT_COMPARABLE
    return DIFFERS if moved else SAME


def _scores(run: Run) -> Scores:
    return Scores(run.predictions, run.windows["horizon"], name=run.run_id)


def _family(run: Run) -> int | None:
    """Return how many runs were measured on these rows, as the ledger of the run's root has them."""
    root = Path(str(run.config.get("tracking", {}).get("root", "outputs")))
    counted = family(root, str(run.identity.get("validation_hash")))
    return max(counted - 1, 1) if counted else None  # comparisons with this one, not runs


def _moved(a: Run, b: Run) -> Iterator[dict[str, Any]]:
    """Yield the parts of the identity that differ: config groups, code, data, environment, seed."""
    parts = [("config." + name, run_parts) for name, run_parts in _paired(a.identity["parts"], b.identity["parts"])]
    others = [(name, (a.identity.get(name), b.identity.get(name))) for name in (*HASHES[1:], "environment", "seed")]
    for name, (before, after) in [*parts, *others]:
        if before != after:
            yield {"part": name, "a": before, "b": after}


def _paired(a: dict[str, Any], b: dict[str, Any]) -> Iterator[tuple[str, tuple[Any, Any]]]:
    for name in sorted({*a, *b}):
        yield name, (a.get(name), b.get(name))


def _say(runs: list[Run], moved: list[dict[str, Any]], found: Verdict) -> None:
    say(found.text)
    say()
    say_table(["", "A", "B"], list(_rows(runs, found)))
    say()
    say("moved     " + (", ".join(each["part"] for each in moved) or "nothing: the runs ask and answer the same"))
    for which, names in _only_in(runs):
        say(f"only {which}    {', '.join(names)}")
    for each in found.folds if len(found.folds) > 1 else ():
        say(f"fold {each.number}    {_number(each.difference)} [{_number(each.low)}, {_number(each.high)}]")
    for note in found.notes:
        say(f"note      {note}")


def _rows(runs: list[Run], found: Verdict) -> Iterator[tuple[str, ...]]:
    from leadscore.evaluate import METRICS

    yield "run", *(run.run_id for run in runs)
    yield "model", *(str(run.config["model"]["name"]) for run in runs)
    if found.answer == "not comparable":
        return  # numbers of different questions, side by side, would be compared all the same
    values = [run.metrics["metrics"] for run in runs]
    for name, metric in METRICS.items():
        if name in values[0] and name in values[1]:
            yield metric.title + (" *" if name == found.metric else ""), *(_number(each[name]) for each in values)


def _only_in(runs: list[Run]) -> Iterator[tuple[str, list[str]]]:
    """Yield the features that A, and that B, has alone or has otherwise."""
    for which, run, other in zip("AB", runs, runs[::-1], strict=True):
        if names := _only(run, other):
            yield which, names


def _only(run: Run, other: Run) -> list[str]:
    """Return the features that one run has and the other has not, or has otherwise."""
    mine, theirs = run.config["features"], other.config["features"]
    return [name for name in sorted(mine) if mine[name] != theirs.get(name, _ABSENT)]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _say_markdown(runs: list[Run], moved: list[dict[str, Any]], found: Verdict) -> None:
    say(f"**{found.answer}**: {found.text}")
    say()
    say("| | A | B |")
    say("|---|---|---|")
    for row in _rows(runs, found):
        say("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |")
    say()
    say("Moved: " + (", ".join(f"`{each['part']}`" for each in moved) or "nothing"))
    for which, names in _only_in(runs):
        say(f"\nFeatures only in {which}: " + ", ".join(f"`{name}`" for name in names))
