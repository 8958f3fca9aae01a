"""The grammar of the verbs about the champion."""

import argparse
from datetime import datetime
from typing import Any

from leadscore.times import parse_instant
from leadscore.verbs.syntax import Parser, add_json, add_repeats, add_roots, add_verb

__all__ = ["add_champion_verbs"]


def add_champion_verbs(group: Any) -> None:
    """Add `promote`, `rollback` and `champion`."""
    _promote(group)
    _rollback(group)
    _champion(group)


def _promote(group: Any) -> None:
    promote = add_verb(
        group,
        "promote",
        "champion:promote",
        "make a run champion, if it is finished and whole, no check found a problem, it is not worse than the "
        "champion, and scoring from raw tables gives its recorded predictions",
        names="RUN",
        wanted=(1, 1),
        composes=False,
    )
    promote.add_argument("--why", required=True, type=_words, metavar="TEXT", help="what the history will say; needed")
    promote.add_argument("--force", action="store_true", help="whatever the gate says; the history tells what it said")
    add_repeats(promote)
    add_roots(promote)
    _tracking_root(promote)
    add_json(promote)


def _rollback(group: Any) -> None:
    rollback = add_verb(
        group, "rollback", "champion:rollback", "make the champion of before champion again, at once", composes=False
    )
    rollback.epilog = (
        "Each rollback goes one champion further back, never forth again: after promoting a, b and c, the first\n"
        "makes b champion, the second a, and a third is refused. After a, b, a rollback and d, a rollback goes to a.\n"
        "To undo a rollback, promote the run again."
    )
    rollback.add_argument("--why", type=_words, metavar="TEXT", help="what the history will say")
    _tracking_root(rollback)
    add_json(rollback)


def _champion(group: Any) -> None:
    champion = add_verb(
        group, "champion", "champion:champion", "show which run is champion, since when and why", composes=False
    )
    which = champion.add_mutually_exclusive_group()
    which.add_argument("--at", type=_instant, metavar="TIME", help="the one of then, as in 2026-05-01 (its start, UTC)")
    which.add_argument("--history", action="store_true", help="every promotion and rollback, oldest first")
    _tracking_root(champion)
    add_json(champion)


def _tracking_root(parser: Parser) -> None:
    parser.add_argument(
        "--tracking-root", default="outputs", metavar="DIR", help="the folder with champion.jsonl (default: outputs)"
    )


def _words(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is blank")
    return text


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except (ValueError, OverflowError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None
