"""Raw columns that know where each value stands, and the findings that reading them gathers."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from leadscore.errors import examples

__all__ = ["Column", "Findings", "Origin", "Part", "Wrong", "plural"]

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
    within: tuple[int, int] | None = None  # of all rows, those that a piece of the table holds; None: all

    @property
    def label(self) -> str:
        """The file's name, or the folder's or glob's with the number of files."""
        return self.parts[0].name if len(self.parts) == 1 else f"{self.name} ({len(self.parts)} files)"

    @property
    def start(self) -> int:
        """The first row's place among all rows of the files."""
        return 0 if self.within is None else self.within[0]

    @property
    def n_rows(self) -> int:
        """Rows in all files, or in the piece."""
        if self.within is not None:
            return self.within[1] - self.within[0]
        return sum(part.n_rows for part in self.parts)

    def rows(self, positions: Iterable[int]) -> str:
        """Return up to three rows in words: `row 2`, `rows 2, 3, 9, ...`."""
        listed = [self.start + int(position) for position in positions]
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

    def at(self, mask: Any) -> str:
        """Return where `mask` holds and what stands there first: `rows 2, 3, 9, e.g. '2024-03-10 09:00'`."""
        positions = np.flatnonzero(mask)
        return f"{self.origin.rows(positions)}, e.g. {examples([self.example(positions[0])])}"

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
    said: dict[str, int] = field(default_factory=dict)  # notes, each with what stands for {n} in it
    currencies: Counter[str] = field(default_factory=Counter)  # of amounts
    spelled: dict[str, Counter[str]] = field(default_factory=dict)  # a column of times -> how many with a zone, without

    @property
    def notes(self) -> list[str]:
        """What was assumed or noticed, a sentence each."""
        return [note.replace("{n}", f"{n:,}") for note, n in self.said.items()]

    def count(self, what: str, n: int) -> None:
        """Add to a count; nothing is recorded for none."""
        if n:
            self.counts[what] += int(n)

    def note(self, sentence: str, n: int = 0) -> None:
        """Keep a sentence, once; where it has `{n}`, what stands for it is added up."""
        self.said[sentence] = self.said.get(sentence, 0) + n

    def add(self, other: "Findings") -> None:
        """Take over what reading another piece of the table has found."""
        for problem in other.problems:
            self._join(problem)
        self.counts.update(other.counts)
        self.currencies.update(other.currencies)
        for sentence, n in other.said.items():
            self.note(sentence, n)
        for column, ways in other.spelled.items():
            self.spelled.setdefault(column, Counter()).update(ways)

    def _join(self, problem: str) -> None:
        """Add a problem of another piece, to the same problem of the pieces before it."""
        for place, known in enumerate(self.problems):
            if isinstance(known, Wrong) and isinstance(problem, Wrong) and known.key == problem.key:
                self.problems[place] = known.joined(problem)
                return
            if known == problem:
                return
        self.problems.append(problem)

    def bad(self, column: Column, mask: Any, words: str, *, noun: str = "value", shown: int = 1) -> bool:
        """Record a problem where `mask` holds; `words` has `{at}` for the place. Return whether there is one.

        Up to `shown` of the values that stand there are told with the place.
        """
        positions = np.flatnonzero(mask)
        values = dict.fromkeys(column.example(position) for position in positions[: 200 * shown])
        return self.wrong(
            column.origin, column.label, positions, words, noun=noun, values=(*values,)[:shown], shown=shown
        )

    def wrong(
        self,
        origin: Origin,
        label: str,
        positions: Any,
        words: str,
        *,
        noun: str,
        values: tuple[str, ...] = (),
        shown: int = 0,
    ) -> bool:
        """Record a problem of the rows at `positions`, where there are some; see `bad`."""
        if len(positions):
            first = tuple(int(position) + origin.start for position in positions[: SHOWN + 1])
            whole = replace(origin, within=None)
            self.problems.append(Wrong(WrongRows(whole, label, words, noun, len(positions), first, values, shown)))
        return len(positions) > 0


@dataclass(frozen=True)
class WrongRows:
    """What a problem is made of; `positions` and `values` are the first ones, in the whole table."""

    origin: Origin
    label: str
    words: str
    noun: str
    n: int
    positions: tuple[int, ...]
    values: tuple[str, ...]
    shown: int


class Wrong(str):
    """A problem in words, which can be joined with the same problem of other rows."""

    __slots__ = ("rows",)
    rows: WrongRows

    def __new__(cls, rows: WrongRows) -> "Wrong":
        """Put it into words."""
        at = rows.origin.rows(rows.positions) + (f", e.g. {examples(rows.values)}" if rows.values else "")
        made = super().__new__(cls, f"{rows.label}: {plural(rows.n, rows.noun)} {rows.words.replace('{at}', at)}")
        made.rows = rows
        return made

    def __reduce__(self) -> Any:
        return Wrong, (self.rows,)

    @property
    def key(self) -> tuple[str, str, str]:
        """What two problems share that are one."""
        return self.rows.label, self.rows.words, self.rows.noun

    def joined(self, other: "Wrong") -> "Wrong":
        """Return the problem of both rows, those of `other` behind these."""
        one, two = self.rows, other.rows
        positions = (*one.positions, *two.positions)[: SHOWN + 1]
        values = tuple(dict.fromkeys((*one.values, *two.values)))[: one.shown]
        return Wrong(replace(one, n=one.n + two.n, positions=positions, values=values))
