"""Two runs side by side: only what differs, part by part, and one answer to whether it helped."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leadscore.changes.code import CodeChange, code_changes, moved_things
from leadscore.changes.config import Change, asks, changes, is_asked
from leadscore.changes.data import data_changes
from leadscore.changes.found import found_changes
from leadscore.changes.judging import judge
from leadscore.changes.movers import Movers, movers
from leadscore.changes.override import Override, fewest_overrides
from leadscore.errors import RecordError
from leadscore.record import Run

if TYPE_CHECKING:
    from leadscore.compare import Verdict

__all__ = ["RunDiff", "diff_runs"]

HASHES = ("code_hash", "engine_hash", "data_hash", "validation_hash")


@dataclass(frozen=True)
class RunDiff:
    """What differs between runs A and B.

    Attributes
    ----------
    a, b : Run
    moved : list of dict
        The parts of the identity that differ: `part`, and the two values `a` and `b`.
    config : list of Change
        Keys that decide what is computed.
    found : list of Change
        Parameters that a search found in one run or both, and that differ as they were fitted.
    aside : list of Change
        Keys that decide nothing of it: notes, threads, paths.
    override : Override
    things : list of str
        The features, definitions and model in both whose code moved.
    code : list of CodeChange
    data, environment, windows : list of Change
    metrics : dict of str to (float or None, float or None)
        Empty when the runs are not comparable: numbers of different questions are not shown side by side.
    verdict : Verdict
    movers : Movers or None
        None when the runs share no row.
    notes : list of str
        What could not be compared, and why.
    """

    a: Run
    b: Run
    moved: list[dict[str, Any]]
    config: list[Change]
    found: list[Change]
    aside: list[Change]
    override: Override
    things: list[str]
    code: list[CodeChange]
    data: list[Change]
    environment: list[Change]
    windows: list[Change]
    metrics: dict[str, tuple[float | None, float | None]]
    verdict: "Verdict"
    movers: Movers | None
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        listed = ("config", "found", "aside", "code", "data", "environment", "windows")
        return {
            "a": self.a.run_id,
            "b": self.b.run_id,
            "moved": self.moved,
            **{name: [each.to_json() for each in getattr(self, name)] for name in listed},
            "override": self.override.to_json(),
            "things": self.things,
            "metrics": {name: list(pair) for name, pair in self.metrics.items()},
            "verdict": self.verdict.to_json(),
            "movers": None if self.movers is None else self.movers.to_json(),
            "notes": self.notes,
        }


def diff_runs(a: Run, b: Run, *, metric: str = "auc") -> RunDiff:
    """Compare two runs on disk.

    Parameters
    ----------
    a, b : Run
        From `open_run`; both done.
    metric : str
        What the verdict is about, a name in `leadscore.compare.STATISTICS`.

    Raises
    ------
    ConfigError
        When the metric is unknown.
    RecordError
        When one of the runs has no predictions.

    Examples
    --------
    >>> from leadscore import open_run
    >>> found = diff_runs(open_run("latest~1"), open_run("latest"))  # doctest: +SKIP
    >>> found.verdict.answer  # doctest: +SKIP
    'no evidence'
    """
    found = judge(a, b, metric=metric)
    asked = changes(asks(a.config), asks(b.config))
    code, things, data, notes = _what_was_kept(a, b)
    return RunDiff(
        a,
        b,
        list(_moved(a.identity, b.identity)),
        [each for each in asked if is_asked(each.key)],
        found_changes(a, b),
        [each for each in asked if not is_asked(each.key)],
        fewest_overrides(a, b),
        things,
        code,
        data,
        changes(_surroundings(a), _surroundings(b)),
        changes(_laid(a), _laid(b)),
        {} if found.answer == "not comparable" else dict(_metrics(a, b)),
        found,
        _movers(a, b),
        notes,
    )


def _moved(a: Mapping[str, Any], b: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the parts of the identity that differ: config groups, code, data, environment, seed."""
    before, after = a["parts"], b["parts"]
    parts = [(f"config.{name}", before.get(name), after.get(name)) for name in sorted({*before, *after})]
    others = [(name, a.get(name), b.get(name)) for name in (*HASHES, "environment", "seed")]
    for name, old, new in [*parts, *others]:
        if old != new:
            yield {"part": name, "a": old, "b": new}


def _what_was_kept(a: Run, b: Run) -> tuple[list[CodeChange], list[str], list[Change], list[str]]:
    """Return what code.json and data.json tell; runs of an earlier leadscore have none."""
    notes: list[str] = []
    code: list[CodeChange] = []
    things: list[str] = []
    data: list[Change] = []
    try:
        code, things = code_changes(a, b), moved_things(a, b)
    except RecordError as error:
        notes.append(f"the code cannot be compared: {error}")
    try:
        data = data_changes(a, b)
    except RecordError as error:
        notes.append(f"the data cannot be compared: {error}")
    return code, things, data, notes


def _surroundings(run: Run) -> dict[str, Any]:
    return {"git": run.identity.get("git"), "environment": run.identity.get("environment")}


def _laid(run: Run) -> dict[str, Any]:
    """Return what windows.json says that is no picture of it."""
    windows = run.windows
    folds = {str(number): fold for number, fold in enumerate(windows["folds"])}
    return {
        **{name: windows[name] for name in ("data_end", "horizon", "validation")},
        "rows": windows["rows"]["window"],
        "fold": folds,
    }


def _metrics(a: Run, b: Run) -> Iterator[tuple[str, tuple[float | None, float | None]]]:
    before, after = a.metrics["metrics"], b.metrics["metrics"]
    for name in before:
        if name in after:
            yield name, (before[name], after[name])


def _movers(a: Run, b: Run) -> Movers | None:
    found = movers(a, b)
    return found if found.n else None
