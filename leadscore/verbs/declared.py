"""What a feature declares, as JSON values and in words."""

import inspect
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadscore.features import Feature
from leadscore.times import format_duration

if TYPE_CHECKING:
    from leadscore.features.plan import Planned

__all__ = ["bounds_in_words", "code_of", "declaration", "explanation", "place_of", "reads", "sees"]


def declaration(step: "Planned") -> dict[str, Any]:
    """Return the whole declaration of a planned feature as JSON values."""
    each = step.feature
    return {
        "name": each.name,
        "meaning": step.meaning,
        "source": each.source,
        "event_types": list(each.event_types),
        "columns": list(each.columns),
        "lookback": _length(each.lookback),
        "window": each.window,
        "no_events": each.no_events,
        "missing": each.missing,
        "unit": each.unit,
        "dtype": each.dtype,
        "bounds": list(each.bounds),
        "calendar": each.calendar,
        "across_leads": each.across_leads,
        "parameters": dict(step.parameters),
        "defaults": dict(each.parameters),
        "inputs": {argument: needed.name for argument, needed in step.inputs.items()} or dict.fromkeys(each.needs),
        "aggregate": each.aggregate.canonical() if each.aggregate else None,
    }


def _length(lookback: timedelta | None) -> str | None:
    return format_duration(lookback) if lookback else None


def reads(each: Feature) -> str:
    """Return the rows and columns it reads: `events: login, session (amount)`."""
    columns = ", ".join(each.columns)
    if each.source == "leads":
        return f"leads: {columns or 'created_at'}"
    types = ", ".join(each.event_types) or "all types"
    return f"events: {types} ({columns})" if columns else f"events: {types}"


def sees(each: Feature) -> str:
    """Return how far back it sees: `7d`, `all`, or `own row` for what reads the lead table."""
    return "own row" if each.source == "leads" else _length(each.lookback) or "all"


def bounds_in_words(each: Feature) -> str:
    """Return the least and the greatest value allowed.

    Examples
    --------
    >>> bounds_in_words(Feature("share", len, "events", bounds=(0, 1)))
    'from 0 to 1'
    >>> bounds_in_words(Feature("count", len, "events", bounds=(0, None)))
    'at least 0'
    """
    low, high = each.bounds
    if low is not None and high is not None:
        return f"from {low:g} to {high:g}"
    if low is not None:
        return f"at least {low:g}"
    return f"at most {high:g}" if high is not None else ""


def explanation(each: Feature) -> str:
    """Return the whole docstring of a function; an aggregate's meaning."""
    return each.meaning if each.aggregate else inspect.getdoc(each.function) or each.meaning


def place_of(each: Feature) -> str:
    """Return `file:line` of a function; empty for an aggregate."""
    if each.aggregate:
        return ""
    try:
        return f"{_near(Path(inspect.getsourcefile(each.function) or '?'))}:{inspect.getsourcelines(each.function)[1]}"
    except (OSError, TypeError):  # made at a prompt
        return ""


def code_of(each: Feature) -> str:
    """Return the source text of a function, or an aggregate as a set's entry."""
    if each.aggregate:
        import yaml

        entry = {each.name: each.aggregate.canonical()}
        return str(yaml.safe_dump(entry, sort_keys=False, allow_unicode=True, default_flow_style=None)).rstrip()
    try:
        return inspect.getsource(each.function).rstrip()
    except (OSError, TypeError):
        return "(its source text is not to be found)"


def _near(path: Path) -> Path:
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
