"""Raw columns that know where each value stands, and the findings that reading them gathers."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from leadscore.errors import examples

__all__ = ["Column", "Findings", "Origin", "Part", "plural"]

SHOWN = 3


def plural(n: int, noun: str) -> str:
    """Return a count with its noun: `1 time`, `12 times`."""
    return f"{n:,} {noun}" if n == 1 else f"{n:,} {noun}s"


@dataclass(frozen=True)
class Part:
    """One file's share of a table.

    Attributes
    ----------
    name : str
        The file's name.
    n_rows : int
    lines : array of int (n_rows,) or None
        The line at which each row begins; None where row i (from 0) stands on line `header + i + 1`.
    header : int
        Lines before the first row: 1 in a CSV file, 0 in a Parquet file.
    """

    name: str
    n_rows: int
    lines: Any = None
    header: int = 1

    def line(self, position: int) -> int:
        """Return the line of the row at `position`, counted from 1 with the header as line 1."""
        return self.header + position + 1 if self.lines is None else int(self.lines[position])


@dataclass(frozen=True)
class Origin:
    """The files behind a table: words for where the row at a position stands.

    "Row 2" is line 2 of its file. A CSV file's header is line 1; a Parquet file has none, its first row is row 1.

    Examples
    --------
    >>> origin = Origin("leads", (Part("a.csv", 2), Part("b.csv", 5)))
    >>> origin.label, origin.rows([0, 3])
    ('leads (2 files)', 'a.csv row 2, b.csv row 3')
    """

    name: str
    parts: tuple[Part, ...]

    @property
    def label(self) -> str:
        """The file's name, or the folder's or glob's with the number of files."""
        return self.parts[0].name if len(self.parts) == 1 else f"{self.name} ({len(self.parts)} files)"

    @property
    def n_rows(self) -> int:
        """Rows in all files."""
        return sum(part.n_rows for part in self.parts)

    def rows(self, positions: Iterable[int]) -> str:
        """Return up to three rows in words: `row 2`, `rows 2, 3, 9, ...`."""
        listed = [int(position) for position in positions]
        found = [self._place(position) for position in listed[:SHOWN]]
        more = ", ..." if len(listed) > SHOWN else ""
        if len(self.parts) > 1:
            return ", ".join(f"{part.name} row {line}" for part, line in found) + more
        return f"row{'s' if len(listed) > 1 else ''} {', '.join(str(line) for _, line in found)}{more}"

    def _place(self, position: int) -> tuple[Part, int]:
        for part in self.parts:
            if position < part.n_rows:
                return part, part.line(position)
            position -= part.n_rows
        raise IndexError("no such row")


@dataclass(frozen=True)
class Column:
    """One column as its files have it.

    Attributes
    ----------
    cells : pyarrow.ChunkedArray (n_rows,)
        Text from CSV, where an empty value is null; any type from Parquet.
    name : str
        The file's own name of the column.
    key : str
        The table's key in the config: `data.leads` or `data.events`.
    """

    cells: Any
    name: str
    key: str
    origin: Origin

    @property
    def label(self) -> str:
        """`leads.csv, column 'signup'`."""
        return f"{self.origin.label}, column '{self.name}'"

    def at(self, mask: Any, *, shown: int = 1) -> str:
        """Return where `mask` holds and what stands there: `rows 2, 3, 9, e.g. '2024-03-10 09:00'`."""
        positions = np.flatnonzero(mask)
        values = [self.example(position) for position in positions[: 200 * shown]]
        return f"{self.origin.rows(positions)}, e.g. {examples(list(dict.fromkeys(values))[:shown])}"

    def example(self, position: int) -> str:
        """Return the value at `position` as text, cut at 60 characters."""
        value = self.cells[int(position)]
        try:
            text = str(value.as_py())
        except (OverflowError, ValueError):  # a timestamp beyond Python's calendar
            text = f"{value.value} as {value.type}"
        return text if len(text) <= 60 else f"{text[:57]}..."


@dataclass
class Findings:
    """What reading gathered: problems to raise at once, counts and notes for the record."""

    problems: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def count(self, what: str, n: int) -> None:
        """Add to a count; nothing is recorded for none."""
        if n:
            self.counts[what] += int(n)

    def note(self, sentence: str) -> None:
        """Keep a sentence, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def bad(self, column: Column, mask: Any, words: str, *, noun: str = "value", shown: int = 1) -> bool:
        """Record a problem where `mask` holds; `words` has `{at}` for the place. Return whether there is one."""
        n = int(np.asarray(mask).sum())
        if n:
            told = words.replace("{at}", column.at(np.asarray(mask), shown=shown))
            self.problems.append(f"{column.label}: {plural(n, noun)} {told}")
        return n > 0
