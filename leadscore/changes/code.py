"""Which functions moved between two runs, as a unified diff of their sources."""

import difflib
from dataclasses import asdict, dataclass
from typing import Any

from leadscore.record import Run

__all__ = ["CodeChange", "code_changes", "moved_things"]


@dataclass(frozen=True)
class CodeChange:
    """A function or class whose tree, or a plain value that it names, differs.

    Attributes
    ----------
    name : str
        Qualified, as in `my_features.sessions_last_7_days`.
    what : {"changed", "only A", "only B"}
    diff : str
        Unified, of the sources as written; empty where only a value moved, or where one run lacks it.
    constants : dict of str to (str, str)
        Plain values that it names outside itself: old and new.
    """

    name: str
    what: str
    diff: str
    constants: dict[str, tuple[str | None, str | None]]

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**asdict(self), "constants": {name: list(pair) for name, pair in self.constants.items()}}


def moved_things(a: Run, b: Run) -> list[str]:
    """Return the features, definitions and model of both runs whose code, or whatever it reaches, differs."""
    before, after = a.code["things"], b.code["things"]
    return [name for name in sorted({*before} & {*after}) if before[name] != after[name]]


def code_changes(a: Run, b: Run) -> list[CodeChange]:
    """Return what differs among the functions that the two runs ran, sorted by name."""
    before, after = a.code["definitions"], b.code["definitions"]
    found = []
    for name in sorted({*before, *after}):
        if name not in after or name not in before:
            found.append(CodeChange(name, "only A" if name in before else "only B", "", {}))
            continue
        old, new = before[name], after[name]
        values = {
            key: (old["values"].get(key), new["values"].get(key))
            for key in sorted({*old["values"], *new["values"]})
            if old["values"].get(key) != new["values"].get(key)
        }
        if old["hash"] != new["hash"] or values:
            found.append(CodeChange(name, "changed", _unified(old["source"], new["source"]), values))
    return found


def _unified(old: str, new: str) -> str:
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), "A", "B", lineterm="", n=2)
    return "\n".join(lines)
