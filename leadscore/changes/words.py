"""The words of a diff, the same on a terminal, in a pull request and on a page."""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from leadscore.changes.between import RunDiff
from leadscore.changes.config import ABSENT
from leadscore.changes.movers import NO_COLUMN, Movers

if TYPE_CHECKING:
    from leadscore.compare import Verdict
    from leadscore.compare.difference import FoldEstimate

__all__ = [
    "MOVERS",
    "becomes",
    "difference_words",
    "features_words",
    "headline",
    "in_words",
    "metric_rows",
    "movers_rows",
    "movers_words",
    "number",
]

NAMED = 4  # features of a lead
MOVERS = ("user_id", "as_of", "rank A", "rank B", "A", "B", "converted", "features that differ")


def number(value: float | None) -> str:
    """Return three decimals, or `-`."""
    return "-" if value is None else f"{value:.3f}"


def signed(value: float | None, digits: int = 3) -> str:
    """Return a difference with its sign, or `-`.

    Examples
    --------
    >>> signed(0.0103), signed(-0.0017, 4), signed(None)
    ('+0.010', '-0.0017', '-')
    """
    return "-" if value is None else f"{value:+.{digits}f}"


def difference_words(found: "Verdict | FoldEstimate") -> tuple[str, str]:
    """Return the difference and its interval, "" where there is none, with as many decimals as they need."""
    known = [abs(each) for each in (found.difference, found.low, found.high) if each is not None]
    digits = 4 if max(known, default=1.0) < 0.1 else 3
    interval = "" if found.low is None else f"[{signed(found.low, digits)}, {signed(found.high, digits)}]"
    return signed(found.difference, digits), interval


def headline(verdict: "Verdict") -> str:
    """Return the answer in one line, the runs called A and B."""
    said = {
        "better": "B is better than A",
        "worse": "B is worse than A",
        "no evidence": "No evidence that B is better or worse than A",
        "not comparable": "A and B are not comparable",
        "too few positives": "No verdict on B against A",
    }[verdict.answer]
    if verdict.a is None or verdict.b is None:
        return said
    difference = " ".join(difference_words(verdict)).strip()
    return f"{said}: {verdict.title} {number(verdict.b)} against {number(verdict.a)}, {difference}"


def in_words(value: Any) -> str:
    """Return a config value as it is written in YAML's flow style, `-` for none."""
    if value is ABSENT or value == ABSENT:
        return ABSENT
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def metric_rows(found: RunDiff) -> Iterator[tuple[str, ...]]:
    """Yield a line each for what the runs are and what they measured, side by side."""
    from leadscore.evaluate import METRICS

    runs = found.a, found.b
    yield "run", *(run.run_id for run in runs)
    yield "model", *(str(run.config["model"]["name"]) for run in runs)
    if any(run.config.get("notes") for run in runs):
        yield "notes", *(str(run.config.get("notes") or ABSENT) for run in runs)
    for name, pair in found.metrics.items():
        if name in METRICS:
            yield METRICS[name].title + (" *" if name == found.verdict.metric else ""), *map(number, pair)


def becomes(found: RunDiff) -> str:
    """Return the sentence that says how A's command becomes B's."""
    override = found.override
    line = " ".join(shlex.quote(each) for each in override.added)
    without = " ".join(shlex.quote(each) for each in override.dropped)
    how = f"A becomes B with {line}" if line else "A becomes B"
    if without:
        how += f" and without {without}" if line else f" without {without}"
    return how if override.tried else f"{how}  (read off the two configs; composing it was not possible)"


def movers_rows(found: Movers) -> list[tuple[str, ...]]:
    """Return the table of movers, its columns as `MOVERS` names them."""
    return [
        (
            row["user_id"],
            row["as_of"][:16].replace("T", " "),
            f"{row['rank_a']:,}",
            f"{row['rank_b']:,}",
            number(row["a"]),
            number(row["b"]),
            "yes" if row["label"] else "no",
            features_words(row["features"]),
        )
        for row in found.rows
    ]


def features_words(features: Mapping[str, Any]) -> str:
    """Return a lead's features that differ, old -> new, the first few of them."""
    shown = [_feature(name, old, new) for name, (old, new) in list(features.items())[:NAMED]]
    more = len(features) - len(shown)
    return ", ".join([*shown, *([f"{more} more"] if more > 0 else [])])


def _feature(name: str, old: Any, new: Any) -> str:
    if NO_COLUMN in (old, new):
        return f"{name} {_value(new if old == NO_COLUMN else old)} (only {'B' if old == NO_COLUMN else 'A'})"
    return f"{name} {_value(old)} -> {_value(new)}"


def _value(value: Any) -> str:
    if value is None:
        return "missing"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def movers_words(found: Movers) -> Iterator[str]:
    """Yield the sentences above the table of movers."""
    rows = f"{found.n:,} rows" if found.n == found.n_a == found.n_b else f"{found.n:,} rows that both runs scored"
    alike = "" if found.rank_correlation is None else f", rank correlation {found.rank_correlation:.3f}"
    yield f"leads     {rows}{alike}; {found.overlap:,} of {found.top:,} in the top 10% are the same"
    n = found.top - found.overlap
    for what, names, converted in (
        ("entered", found.entered, found.entered_converted),
        ("left", found.left, found.left_converted),
    ):
        if n:
            more = ", ..." if n > len(names) else ""
            yield f"{what:9} {n:,}, {converted:,} of them converted: {', '.join(names)}{more}"
