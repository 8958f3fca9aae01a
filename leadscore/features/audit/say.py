"""A difference in words: the feature, the check, an example with both values, the likely line, what to do."""

from typing import Any

import pandas as pd

from leadscore.features.audit.bench import Bench
from leadscore.features.audit.checks import Check
from leadscore.features.audit.difference import Difference
from leadscore.features.audit.lines import first_line, line_of_names
from leadscore.features.audit.report import Finding

__all__ = ["finding"]

_CLOCK = ("now", "utcnow", "today", "time", "time_ns", "localtime", "gmtime", "monotonic", "perf_counter")
_RANDOM = (
    "default_rng",
    "random",
    "rand",
    "randn",
    "randint",
    "integers",
    "normal",
    "uniform",
    "shuffle",
    "permutation",
    "sample",
    "choice",
    "uuid4",
    "urandom",
    "hash",
)


def finding(bench: Bench, check: Check, seen: Difference) -> Finding:
    """Word what a check saw."""
    line = _line(bench, check, seen)
    captured = f" The code reads {seen.slot.name} around the engine." if seen.slot is not None else ""
    if check.name == "memory" and seen.slot is not None:
        captured = f" It is kept in {seen.slot.name}."
    advice = "" if "Declare " in seen.said else f" {check.advice}."  # the engine's own words say it already
    message = (
        f"feature '{seen.feature}' {check.words}{_example(seen)}.{captured}"
        f"{f' Likely line: {line}.' if line else ''}{advice} (audit: {check.name})"
    )
    return Finding(
        seen.feature, check.name, seen.severity, seen.lead, seen.as_of, seen.before, seen.after, line, message
    )


def _example(seen: Difference) -> str:
    named = f"feature '{seen.feature}'"
    said = f": {seen.said.rstrip('.').replace(named, 'it', 1)}" if seen.said else ""
    if seen.lead is None:
        return said
    count = f"{seen.n} of {seen.of} observation{'s' if seen.of > 1 else ''} move{'s' if seen.n == 1 else ''}"
    values = f"{_value(seen.before)} before, {_value(seen.after)} after"
    return f"{said}. Lead {seen.lead!r} at {seen.as_of:%Y-%m-%d %H:%M:%S} UTC: {values} ({count})"


def _value(value: Any) -> str:
    if pd.isna(value):
        return "missing"
    return f"{value:.6g}" if isinstance(value, float) else repr(value)


def _line(bench: Bench, check: Check, seen: Difference) -> str:
    if seen.line:
        return seen.line
    codes = [code for name in bench.with_inputs(seen.feature) for code in bench.reached[name].codes]
    own = getattr(bench.features[seen.feature].function, "__code__", None)
    names: tuple[str, ...] = {"clock": _CLOCK, "repeat": _RANDOM}.get(check.name, ())
    if seen.slot is not None:
        names = (seen.slot.root,)
        codes = [seen.slot.code, *codes] if seen.slot.code is not None else codes
    return line_of_names(codes, names) or (first_line(own) if own is not None else "")
