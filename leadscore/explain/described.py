"""From a feature's declaration to what is said of it: its story, and the sentences that take its values."""

import re
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING

from leadscore.serving import HOURS, Described

if TYPE_CHECKING:
    from leadscore.features.plan import Planned
    from leadscore.features.registry import Feature

__all__ = ["describe"]

AGE_NAME = re.compile(r"(?:minutes|hours|days|weeks)_since_(last|first)_(\w+)")
LAST_NAME = re.compile(r"_last_(\d+)_(week|day|hour|minute)s?$")
UNITS = {"w": "week", "d": "day", "h": "hour", "m": "minute", "s": "second"}


def describe(steps: Iterable["Planned"]) -> tuple[Described, ...]:
    """Return each column in words, in the order of `steps`."""
    return tuple(_described(step) for step in steps)


def _described(step: "Planned") -> Described:
    each = step.feature
    form, phrases = _phrases(each)
    return Described(
        name=each.name,
        meaning=step.meaning,
        kind=each.dtype,
        unit=each.unit,
        window=each.window,
        event_types=each.event_types,
        group=_story(step),
        missing=each.missing,
        no_events=each.no_events,
        form=form,
        phrases=phrases,
    )


def _story(step: "Planned") -> str:
    """Return which story a column tells: what it reads, and what it asks of that.

    Of the lead's row: the columns read; a feature that reads none but the creation time stands alone. Of events: their
    types and filters, and whether it asks how much, how lately, since when, or which.
    """
    each = step.feature
    if each.source == "leads":
        return f"lead:{'+'.join(sorted(each.columns)) or each.name}"
    sources = [each, *(given for given in step.inputs.values() if given.source == "events")]
    types = {name for some in sources for name in some.event_types} if step.inputs else set(each.event_types)
    filters = {(some.where, some.when, some.zone) for some in each.aggregate.filters} if each.aggregate else set()
    wheres = sorted(f"{column}={'|'.join(values)}" for where, _, _ in filters for column, values in where)
    whens = sorted(f"{when}@{zone}" for _, when, zone in filters if when)
    return ":".join(["events", "+".join(sorted(types)) or "any", *wheres, *whens, _theme(each)])


def _theme(each: "Feature") -> str:
    if each.dtype == "category":
        return "which"
    age = _age(each)
    return "how much" if age is None else {"last": "how lately", "first": "since when"}[age[0]]


def _age(each: "Feature") -> tuple[str, str] | None:
    """Return (`last` or `first`, the event) of a feature that measures the time since one, else None.

    Declared aggregates say so themselves; of a function only the name does, as in `days_since_last_login`.
    """
    spec = each.aggregate
    if spec is not None and spec.aggregate in ("days_since_last", "days_since_first"):
        return spec.aggregate.rpartition("_")[2], _one(spec.filter.words)
    named = AGE_NAME.fullmatch(each.name)
    if named and each.source == "events" and spec is None and each.unit in HOURS and each.no_events is None:
        return named[1], named[2].replace("_", " ")
    return None


def _phrases(each: "Feature") -> tuple[str, dict[str, str]]:
    phrases = {"missing": _missing(each)} if each.missing is not None else {}
    age, counted = _age(each), _counted(each)
    if each.dtype == "category":
        return "plain", {"raises": f"{_title(each)} is {{value}}", **phrases}
    if age is not None:
        which, event = age
        ago = f"{which} {event} {{value}} ago"
        return "age", {"raises": ago, "lowers": f"no {event} for {{value}}" if which == "last" else ago, **phrases}
    if each.unit == "0 or 1":
        return "yes_no", {"raises": f"{_title(each)} ({{value}})", **phrases}
    if counted is not None:
        said = {"raises": f"{{value}} {counted}", "none": f"no {counted}", "one": f"1 {_one(counted)}"}
        return "count", {**{key: words + _within(each) for key, words in said.items()}, **phrases}
    if each.unit in HOURS and each.name.endswith(f"_{each.unit}"):
        return "age", {"raises": f"{_title(each).removesuffix(each.unit).rstrip()} is {{value}}", **phrases}
    form = "share" if each.unit == "share" else "plain"
    return form, {"raises": f"{_title(each)} is {{value}}{_unit(each)}", **phrases}


def _counted(each: "Feature") -> str | None:
    """Return what a feature counts, in the plural: declared, or where name, unit and lookback say the same."""
    spec = each.aggregate
    if spec is not None:
        words = spec.filter.words
        return {"count": words, "active_days": f"days with {words}"}.get(spec.aggregate)
    if each.source != "events" or each.no_events != 0 or not each.unit.endswith("s"):
        return None
    last = LAST_NAME.search(each.name)
    if (each.lookback is None) != (last is None):
        return None
    if last is not None and each.lookback != timedelta(hours=int(last[1]) * HOURS[f"{last[2]}s"]):
        return None  # the name speaks of another window than the declaration
    head = each.name[: last.start() if last else None].replace("_", " ")
    return head if f" {head}".endswith(f" {each.unit}") else None


def _one(plural: str) -> str:
    """Return the singular of the counted thing: `page views`, `login events with plan team`, `companies`.

    Examples
    --------
    >>> _one("page views"), _one("days with login events"), _one("companies"), _one("events")
    ('page view', 'day with login events', 'company', 'event')
    """
    head, *rest = re.split(r"(?= with | on | between )", plural, maxsplit=1)
    if head.endswith("ies"):
        head = f"{head[:-3]}y"
    elif head.endswith(("sses", "shes", "ches", "xes")):
        head = head[:-2]
    elif head.endswith("s") and not head.endswith("ss"):
        head = head[:-1]
    return "".join([head, *rest])


def _within(each: "Feature") -> str:
    return f" in the last {_length(each)}" if each.lookback is not None else " so far"


def _length(each: "Feature") -> str:
    """Return a lookback in words: `7 days`, `24 hours`."""
    text = "24h" if each.window.startswith("1d ") else each.window.split(" ", 1)[0]
    pieces = re.findall(r"(\d+)([wdhms])", text)
    return " ".join(f"{n} {UNITS[unit]}{'' if n == '1' else 's'}" for n, unit in pieces)


def _title(each: "Feature") -> str:
    """Return what a value is said to be: a declared aggregate's meaning, else the name in words."""
    if each.aggregate is None:
        return each.name.replace("_", " ")
    if each.aggregate.aggregate == "attribute":
        return str(each.aggregate.column).replace("_", " ")
    return each.meaning.removesuffix(" before the score") if each.lookback is None else each.meaning


def _unit(each: "Feature") -> str:
    """Return the unit, unless the name has it or it is a word for none."""
    if each.unit in ("", "share", "currency", "value", "values", "sum", "mean", "ratio", "hour"):
        return ""
    return "" if set(each.unit.split()) & set(_title(each).split()) else f" {each.unit}"


def _missing(each: "Feature") -> str:
    """Return what a missing value says, with what it is about where the declared words alone do not tell."""
    missing, age = each.missing or "", _age(each)
    if each.aggregate is None:
        return missing
    if age is not None:
        return f"no {age[1]}{_within(each)}"
    return f"{_title(each)} {missing}" if each.aggregate.aggregate == "attribute" else f"{_title(each)}: {missing}"
