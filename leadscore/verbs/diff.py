"""`leadscore diff A B`: what changed between two runs, whether it helped, and who moved."""

from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from leadscore.changes import RunDiff, diff_runs
from leadscore.changes.config import Change
from leadscore.changes.movers import Movers
from leadscore.changes.page import comparison_page
from leadscore.changes.words import MOVERS, becomes, headline, in_words, metric_rows, movers_rows, movers_words, number
from leadscore.record import open_run
from leadscore.verbs.diff_markdown import markdown
from leadscore.verbs.say import say, say_json, say_prose, say_table
from leadscore.verbs.write_files import write_all

__all__ = ["diff"]

SAME, DIFFERS, NOT_COMPARABLE = 0, 1, 2  # of --exit-code
COMPARISONS = "comparisons"  # the folder of pages that were given no place
SHOWN = 20  # lines of a part, for people; --json has them all


def diff(arguments: Namespace) -> int:
    """Compare two runs."""
    runs = [open_run(name, arguments.roots) for name in arguments.names]
    found = diff_runs(*runs, metric=arguments.metric)
    if arguments.json:
        say_json(found.to_json())
    elif arguments.md:
        say(markdown(found))
    elif arguments.html is not None:
        _write_page(found, arguments)
    else:
        _say(found)
    if not arguments.exit_code:
        return 0
    if found.verdict.answer == "not comparable":
        return NOT_COMPARABLE
    return DIFFERS if found.moved else SAME


def _write_page(found: RunDiff, arguments: Namespace) -> None:
    """Write the page and say its answer and where it lies."""
    metric = "" if found.verdict.metric == "auc" else f".{found.verdict.metric}"
    name = f"{found.a.run_id}..{found.b.run_id}{metric}.html"
    path = Path(arguments.html) if arguments.html else Path(arguments.roots[0]) / COMPARISONS / name
    if path.is_dir():
        path /= name
    write_all({path: comparison_page(found)})
    say(headline(found.verdict))
    say(f"wrote {path}")


def _say(found: RunDiff) -> None:
    verdict = found.verdict
    say_prose(verdict.text)
    say()
    say_table(["", "A", "B"], list(metric_rows(found)))
    for fold in verdict.folds if len(verdict.folds) > 1 else ():
        say(f"fold {fold.number}    {number(fold.difference)} [{number(fold.low)}, {number(fold.high)}]")
    say()
    say("moved     " + (", ".join(each["part"] for each in found.moved) or "nothing: the runs ask and answer the same"))
    _say_part("asked", found.config)
    if found.config:
        say(f"\n{becomes(found)}")
    _say_part("found by search", found.found)
    _say_code(found)
    for title, part in (
        ("data", found.data),
        ("environment", found.environment),
        ("windows", found.windows),
        ("aside (decides no number)", found.aside),
    ):
        _say_part(title, part)
    if found.movers is not None:
        _say_movers(found.movers)
    notes = [*verdict.notes, *found.notes]
    if notes:
        say()
    for note in notes:
        say(f"note      {note}")


def _say_part(title: str, part: Sequence[Change]) -> None:
    if not part:
        return
    say()
    say_table([title, "A", "B"], [(each.key, in_words(each.a), in_words(each.b)) for each in part[:SHOWN]])
    if len(part) > SHOWN:
        say(f"... and {len(part) - SHOWN} more (--json has all)")


def _say_code(found: RunDiff) -> None:
    if not found.code and not found.things:
        return
    say()
    if found.things:
        say(f"code      moved for {', '.join(found.things)}")
    for which in ("only A", "only B"):
        names = [each.name for each in found.code if each.what == which]
        if names:
            say(f"{which}    {', '.join(names)}")
    for each in found.code:
        if each.what == "changed":
            say()
            say(each.name)
            for name, (old, new) in each.constants.items():
                say(f"  {name}: {old} -> {new}")
            for line in each.diff.splitlines()[2:]:  # the first two name A and B
                say(f"  {line}")


def _say_movers(found: Movers) -> None:
    say()
    for line in movers_words(found):
        say(line)
    if found.rows:
        say()
        say_table(MOVERS, movers_rows(found), whole=MOVERS[:2], right=MOVERS[2:6])
