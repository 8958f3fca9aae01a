"""The index: all runs in a table, sweeps folded, with what luck gives to the best of many and who was champion when."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from leadscore.record.champion import Entry
from leadscore.site.families import Family, Group
from leadscore.site.pairs import Pair
from leadscore.site.rows import Listed

__all__ = ["Page", "View", "index_pages"]

RUNS, BYTES = 1_000, 1_200_000  # of one page
ROW_BYTES = 950  # of a row, its texts aside
SHOWN_ENTRIES = 12  # of the champion's history, in the picture


@dataclass(frozen=True)
class View:
    """Everything that the index shows.

    Attributes
    ----------
    groups : sequence of Group
        The latest first.
    families : sequence of Family
    entries : sequence of Entry
        The champion's history, oldest first.
    pairs : sequence of Pair
    reports : mapping of str to str
        From a run_id to its page.
    notes : sequence of str
        What could not be read.
    """

    groups: Sequence[Group]
    families: Sequence[Family]
    entries: Sequence[Entry]
    pairs: Sequence[Pair]
    reports: Mapping[str, str]
    notes: Sequence[str]


@dataclass(frozen=True)
class Page:
    """A page of the index: `content` moves when it would look otherwise."""

    content: str
    render: Callable[[], bytes]


def index_pages(view: View) -> dict[str, Page]:
    """Return the index's pages by their places: the first has the latest runs, and what concerns all."""
    chunks = list(_chunks(view.groups)) or [[]]
    places = ["index.html", *(f"runs-{number}.html" for number in range(2, len(chunks) + 1))]
    everything = repr(view)
    return {
        place: Page(everything, partial(_render, view, chunk, places, number))
        for number, (place, chunk) in enumerate(zip(places, chunks, strict=True))
    }


def _chunks(groups: Sequence[Group]) -> Iterator[list[Group]]:
    """Yield as many groups as one page holds; a sweep is never torn."""
    chunk: list[Group] = []
    runs = weight = 0
    for group in groups:
        heavy = sum(_weight(row) for row in group.runs)
        if chunk and (runs + len(group.runs) > RUNS or weight + heavy > BYTES):
            yield chunk
            chunk, runs, weight = [], 0, 0
        chunk.append(group)
        runs += len(group.runs)
        weight += heavy
    if chunk:
        yield chunk


def _weight(row: Listed) -> int:
    texts = (row.notes, row.reason, row.model, row.features, row.data, *row.overrides)
    return ROW_BYTES + sum(len(text.encode(errors="replace")) for text in texts)


def _render(view: View, chunk: Sequence[Group], places: Sequence[str], number: int) -> bytes:
    from leadscore.report import render_page

    rows = [row for group in view.groups for row in group.runs]
    by_id = {row.run_id: row for row in rows}
    entry = view.entries[-1] if view.entries else None
    page = render_page(
        "index.html.j2",
        scripts=("index.js",),
        styles=("index.css",),
        groups=[_shown(group) for group in chunk],
        n=sum(len(group.runs) for group in chunk),
        counts=_counts(rows),
        last=max((row.ended or row.started for row in rows), default=""),
        reports=view.reports,
        compared={pair.b: pair for pair in reversed(view.pairs)},
        champion=entry and {"entry": entry, "row": by_id.get(entry.run_id)},
        champions={each.run_id for each in view.entries},
        history=[_told(each, view) for each in reversed(view.entries)] if number == 0 else [],
        timeline=_timeline(view, rows) if number == 0 and len(view.entries) > 1 else None,
        families=view.families if number == 0 else [],
        legend=_legend(chunk),
        notes=view.notes if number == 0 else [],
        places=places,
        number=number,
    )
    return page.encode(errors="replace")


def _counts(rows: Sequence[Listed]) -> list[tuple[str, int]]:
    found: dict[str, int] = {}
    for row in rows:
        found[row.status] = found.get(row.status, 0) + 1
    return sorted(found.items(), key=lambda each: -each[1])


def _shown(group: Group) -> dict[str, Any]:
    """Return a group with what its first line says of all its runs."""
    runs = group.runs
    # Of several sets of validation rows no run is the best of all.
    measured = group.family.runs if group.family else [row for row in runs if row.is_measured and group.sets == 1]
    best = max(measured, key=lambda row: row.auc or 0.0, default=None)
    alike = [each for each in runs[0].overrides if all(each in row.overrides for row in runs)]
    return {
        "sweep": group.sweep,
        "family": group.family,
        "sets": group.sets,
        "runs": runs,
        "best": best,
        "chosen_from": len(measured),
        "counts": _counts(runs),
        "models": list(dict.fromkeys(row.model for row in runs if row.model)),
        "features": list(dict.fromkeys(row.features for row in runs if row.features)),
        "problems": sum(any(result == "problem" for _, result, _ in row.speaking) for row in runs),
        "ended": max((row.ended for row in runs), default=""),
        "own": {row.run_id: [each for each in row.overrides if each not in alike] for row in runs},
        "notes": runs[0].notes if len({row.notes for row in runs}) == 1 else "",
    }


def _legend(chunk: Sequence[Group]) -> list[tuple[str, str]]:
    return sorted({(code, title) for group in chunk for row in group.runs for code, _, title in row.speaking})


def _told(entry: Entry, view: View) -> dict[str, Any]:
    places = {(pair.a, pair.b): pair.place for pair in view.pairs}
    return {
        "entry": entry,
        "report": view.reports.get(entry.run_id),
        "comparison": places.get((entry.replaces or "", entry.run_id)),
    }


def _timeline(view: View, rows: Sequence[Listed]) -> Any:
    from leadscore.report.plots.champions import Reign, champions_picture

    entries = view.entries[-SHOWN_ENTRIES:]
    names = {row.run_id: f"{row.model}, {row.features}" for row in rows}
    ends = [entry.time for entry in entries[1:]]
    last = max([entries[-1].time, *filter(None, (_instant(row.ended) for row in rows))])
    reigns = [
        Reign(
            entry.run_id,
            names.get(entry.run_id, ""),
            entry.time,
            end,
            "forced" if entry.forced else "rolled back" if entry.action == "rollback" else "promoted",
        )
        for entry, end in zip(entries, [*ends, None], strict=True)
    ]
    return champions_picture(reigns, last)


def _instant(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
