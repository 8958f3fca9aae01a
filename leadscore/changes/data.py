"""What differs between the data of two runs, table by table and column by column."""

from collections.abc import Iterator, Mapping
from typing import Any

from leadscore.changes.config import Change
from leadscore.record import Run

__all__ = ["data_changes"]

SAID = ("kind", "missing", "least", "most", "different")


def data_changes(a: Run, b: Run) -> list[Change]:
    """Return what the profiles of the data say differently; nothing when both runs read the same data.

    A column whose values differ in no figure but its checksum is said to have other values; when no column's do, rows
    combine the same values otherwise.
    """
    if a.identity.get("data_hash") == b.identity.get("data_hash"):
        return []
    found = list(_profile(a.data, b.data))
    return found or [Change("rows", "the same values in each column", "combined otherwise")]


def _profile(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[Change]:
    if a["data_end"] != b["data_end"]:
        yield Change("data_end", a["data_end"], b["data_end"])
    for table in ("leads", "events"):
        before, after = a[table], b[table]
        if before is None or after is None:
            if before != after:
                yield Change(table, "none" if before is None else "a table", "none" if after is None else "a table")
            continue
        for figure in ("rows", "leads"):
            if before[figure] != after[figure]:
                yield Change(f"{table}.{figure}", before[figure], after[figure])
        columns = sorted({*before["columns"], *after["columns"]})
        for name in columns:
            yield from _column(f"{table}.{name}", before["columns"].get(name), after["columns"].get(name))


def _column(name: str, a: Mapping[str, Any] | None, b: Mapping[str, Any] | None) -> Iterator[Change]:
    if a is None or b is None:
        yield Change(name, "no column" if a is None else a["kind"], "no column" if b is None else b["kind"])
        return
    said = [
        Change(f"{name} {figure}", a.get(figure), b.get(figure)) for figure in SAID if a.get(figure) != b.get(figure)
    ]
    before, after = a.get("top", {}), b.get("top", {})
    said += [
        Change(f"{name} = {word}", before.get(word), after.get(word))
        for word in sorted({*before, *after})
        if before.get(word) != after.get(word) and word in before and word in after
    ]
    if not said and a["sum"] != b["sum"]:
        said = [Change(f"{name} values", f"checksum {a['sum'][:8]}", f"checksum {b['sum'][:8]}")]
    yield from said
