"""How a verb answers: a table for people, JSON for programs. Nothing is cut off."""

import json
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

__all__ = ["say", "say_json", "say_pairs", "say_prose", "say_table"]

PROSE = 120  # columns


def say(text: str = "") -> None:
    """Print a line."""
    sys.stdout.write(f"{text}\n")


def say_prose(text: str) -> None:
    """Print sentences, no line longer than people read."""
    say(textwrap.fill(text, PROSE, break_long_words=False, break_on_hyphens=False))


def say_json(value: Any) -> None:
    """Print a value as JSON."""
    say(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False))


def say_table(
    headings: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    whole: Iterable[str] = (),
    right: Iterable[str] = (),
    least: Mapping[str, int] | None = None,
) -> None:
    """Print a table: on a terminal fitted to its width, elsewhere one line a row.

    Parameters
    ----------
    headings : sequence of str
    rows : iterable of sequences
    whole : iterable of str
        Headings of the columns that are never broken over lines: names.
    right : iterable of str
        Headings of the columns of numbers.
    least : mapping of str to int
        Least widths by heading, to line several tables up.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(
            Text(heading),
            no_wrap=heading in whole,
            overflow="fold",
            justify="right" if heading in right else "left",
            min_width=(least or {}).get(heading),
        )
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    is_terminal = sys.stdout.isatty()
    # A pipe or a file has no width of its own, and a reader with grep wants a row on one line.
    console = Console(highlight=False, markup=False, width=None if is_terminal else 10_000)
    with console.capture() as captured:
        console.print(table)
    for line in captured.get().splitlines():
        say(line.rstrip())


def say_pairs(pairs: Iterable[tuple[str, object]]) -> None:
    """Print names and values, one a line; pairs without a value are left out."""
    shown = [(name, str(value)) for name, value in pairs if value not in (None, "", [], {})]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        first, *others = value.splitlines()
        say(f"{name:{width}}  {first}")
        for line in others:
            say(f"{'':{width}}  {line}")
