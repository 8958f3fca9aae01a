"""The site over all runs: what has not changed stays, what is gone goes, and nothing of others is touched."""

import logging
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from leadscore.errors import LeadscoreError, RecordError
from leadscore.record.champion import Entry, champion_at, history
from leadscore.record.find import Run, all_runs
from leadscore.record.shelf import IDENTITY, REPORT
from leadscore.site.families import families, gain_by_luck, groups, looks_at
from leadscore.site.index import View, index_pages
from leadscore.site.manifest import Shelves, open_site
from leadscore.site.pairs import Pair, wanted_pairs
from leadscore.site.rows import Listed, fingerprint, listed, stamp
from leadscore.site.version import digest, drawing_version

__all__ = ["NEWEST", "Built", "build_site"]

log = logging.getLogger(__name__)

NEWEST = 10  # runs that are drawn for
RUN_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}")  # it becomes a file's name
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Built:
    """What was done.

    Attributes
    ----------
    index : Path
    runs : int
        In the index.
    written, removed, spared : list of str
        Pages, as seen from the site's folder. Spared were those that somebody has changed since.
    failed : dict of str to str
        Pages that could not be drawn, and why.
    notes : list of str
        What could not be read.
    """

    index: Path
    runs: int
    written: list[str]
    removed: list[str]
    spared: list[str]
    failed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def build_site(
    roots: Sequence[str | Path] = ("outputs", "multirun"),
    out: str | Path = "site",
    *,
    newest: int = NEWEST,
    tell: Tell = log.info,
) -> Built:
    """Make the site, or bring it up to date.

    Parameters
    ----------
    roots : sequence of path
        Where runs lie.
    out : path
        The site's folder; files in it that the site did not make stay as they are.
    newest : int
        How many of the newest measured runs are set against another, and of how many of the newest runs a report is
        drawn where they left none.
    tell : callable
        Told each page that takes a while to draw.

    Raises
    ------
    RecordError
        When the folder is a root or lies in a run's folder, holds somebody else's files in the places of pages, or
        cannot be written. No page is written then.

    Examples
    --------
    >>> build_site(["outputs"], "public").index  # doctest: +SKIP
    PosixPath('public/index.html')
    """
    folder, places = Path(out), [Path(root) for root in roots]
    _refuse(folder, places)
    with open_site(folder) as shelves:
        return _Site(shelves, places, newest, tell).build()


def _refuse(out: Path, roots: Sequence[Path]) -> None:
    real = Path(os.path.realpath(out))
    for root in roots:
        if real == Path(os.path.realpath(root)):
            raise RecordError(f"--out {out} is the root {root}, where runs lie: choose a folder of the site's own")
    for folder in (real, *real.parents):
        if (folder / IDENTITY).is_file():
            raise RecordError(f"--out {out} lies in the folder of a run, {folder}: choose a folder of the site's own")


class _Site:
    """One walk: what there is, what is wanted of it, and what of that has to be made."""

    def __init__(self, shelves: Shelves, roots: Sequence[Path], newest: int, tell: Tell) -> None:
        self.shelves, self.roots, self.newest, self.tell = shelves, roots, newest, tell
        self.notes: list[str] = []
        self.failed: dict[str, str] = {}
        self.runs = self._runs()
        self.prints = {run_id: digest(drawing_version(), fingerprint(run)) for run_id, run in self.runs.items()}
        self.rows = [self._row(run) for run in reversed(self.runs.values())]  # the latest first
        self.looks = looks_at(roots, self.rows)
        self.entries = self._entries()

    def build(self) -> Built:
        """Make what is wanted and not there yet."""
        pairs = wanted_pairs(self.rows, self.entries, self.newest)
        copied = [row.run_id for row in self.rows if row.has_report]
        drawn = self._to_draw()
        reports = {run_id: f"runs/{run_id}.html" for run_id in (*copied, *drawn)}
        # Both read what runs left, so they come before the first page is written.
        grouped, alike = groups(self.rows, self._luck), families(self.rows, self.looks, self._luck)
        view = View(grouped, alike, self.entries, pairs, reports, self.notes)
        pages = index_pages(view)
        self.shelves.announce([*reports.values(), *(pair.place for pair in pairs), *pages])
        for run_id in copied:
            run = self.runs[run_id]
            self._page(reports[run_id], stamp(run.folder / REPORT), partial(_copy, run))
        for run_id in drawn:
            self._drawn(reports[run_id], self.prints[run_id], partial(_report, self.runs[run_id]))
        for pair in pairs:
            links = {run_id: f"../{reports[run_id]}" for run_id in (pair.a, pair.b) if run_id in reports}
            self._drawn(pair.place, digest(self._print_of(pair), *links), partial(self._comparison, pair, links))
        for place, page in pages.items():
            self._page(place, digest(drawing_version(), page.content), page.render)
        self.shelves.close()
        made = self.shelves
        index = made.folder / "index.html"
        return Built(index, len(self.rows), made.written, made.removed, made.spared, self.failed, self.notes)

    # --- what there is ------------------------------------------------------------------------------

    def _runs(self) -> dict[str, Run]:
        """Return the runs by their run_id, oldest first; what has no proper one cannot have a page."""
        found: dict[str, Run] = {}
        for run in all_runs(self.roots):
            if not RUN_ID.fullmatch(run.run_id):
                self.notes.append(f"{run.folder} holds a run_id that is none, and is left out")
            elif run.run_id in found:
                first = found[run.run_id].folder
                self.notes.append(f"{run.folder} holds run {run.run_id}, as {first} does; the first is shown")
            else:
                found[run.run_id] = run
        return found

    def _row(self, run: Run) -> Listed:
        return Listed(**self._kept(f"row {run.run_id}", self.prints[run.run_id], lambda: listed(run).to_json()))

    def _entries(self) -> list[Entry]:
        entries = []
        for root in self.roots:
            try:
                champion_at(root)
                entries += history(root)
            except RecordError as error:
                self.notes.append(str(error))
        return sorted(entries, key=lambda entry: entry.time)

    def _luck(self, best: Listed, other: Listed, models: int) -> float | None:
        ids = (best.run_id, other.run_id)
        key = digest(*(self.prints[each] for each in ids), str(models))
        value: float | None = self._kept(
            f"luck {' '.join(ids)} {models}",
            key,
            lambda: gain_by_luck(self.runs[best.run_id], self.runs[other.run_id], models),
        )
        return value

    def _kept(self, name: str, key: str, make: Callable[[], Any]) -> Any:
        """Return a value that the last time may have left."""
        known = self.shelves.known["kept"].get(name)
        value = known[1] if known is not None and known[0] == key else make()
        self.shelves.kept[name] = [key, value]
        return value

    # --- what is wanted of it -----------------------------------------------------------------------

    def _to_draw(self) -> list[str]:
        """Return the runs without a report that get one: the newest, and those that are or were champion."""
        new = [row.run_id for row in self.rows[: self.newest]]
        chosen = [entry.run_id for entry in self.entries] if self.newest else []
        return [row.run_id for row in self.rows if not row.has_report and row.run_id in {*new, *chosen}]

    def _print_of(self, pair: Pair) -> str:
        """Return what moves when a comparison would: the runs, and what else was measured on the same rows."""
        rows = self.runs[pair.b].identity.get("validation_hash")
        same = sorted(f"{row.run_id} {row.auc}" for row in self.rows if row.validation_hash == rows)
        return digest(self.prints[pair.a], self.prints[pair.b], str(self.looks.get(str(rows))), *same)

    # --- what has to be made ------------------------------------------------------------------------

    def _page(self, place: str, key: str, make: Callable[[], bytes]) -> None:
        if not self.shelves.has(place, key):
            self.shelves.write(place, key, make())

    def _drawn(self, place: str, key: str, make: Callable[[], bytes]) -> None:
        """Draw a page; one that cannot be drawn says why in its place, and the others are drawn all the same."""
        if self.shelves.has(place, key):
            return
        self.tell(f"drawing {place}")
        try:
            content = make()
        except Exception as error:
            said = str(error) if isinstance(error, LeadscoreError) else f"{type(error).__name__}: {error}"
            self.failed[place] = said
            content, key = _apology(place, said), ""
        self.shelves.write(place, key, content)

    def _comparison(self, pair: Pair, links: dict[str, str]) -> bytes:
        from leadscore.changes import diff_runs
        from leadscore.changes.page import comparison_page

        found = diff_runs(self.runs[pair.a], self.runs[pair.b])
        return comparison_page(found, links, home="../index.html").encode()


def _copy(run: Run) -> bytes:
    path = run.folder / REPORT
    try:
        return path.read_bytes()
    except OSError as error:
        raise RecordError(f"{path} cannot be read: {error.strerror}") from None


def _report(run: Run) -> bytes:
    from leadscore.report import render_run

    return render_run(run).encode()


def _apology(place: str, said: str) -> bytes:
    from leadscore.report import render_page

    return render_page("apology.html.j2", scripts=(), place=place, said=said).encode()
