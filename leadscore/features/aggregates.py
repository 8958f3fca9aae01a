"""Features that need no code: the one spec object that a line of Python and a feature set's YAML both build.

`entries` reads it, `kinds` says what each aggregate computes, `compiled` computes all of a run's in one walk.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from leadscore.errors import FeatureError
from leadscore.features.kinds import KINDS, evaluate
from leadscore.features.local import WHEN
from leadscore.features.registry import Feature
from leadscore.times import format_duration, parse_duration

__all__ = ["Aggregate", "Filter", "aggregate_feature", "attribute_feature", "with_numbers"]

ALWAYS_THERE = {"user_id", "timestamp", "event_type"}


@dataclass(frozen=True)
class Filter:
    """Which events count.

    Attributes
    ----------
    event_type : tuple of str
        Only events of these types; empty means all.
    where : tuple of (column, values)
        Only events whose column has one of the values.
    when : {'weekend', 'night'} or None
        Only events of that time by the clock of `zone`: Saturday and Sunday, or [22:00, 06:00).
    zone : str
        An IANA zone, or `lead.COLUMN`: the zone that stands in the lead table.
    """

    event_type: tuple[str, ...] = ()
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    when: str | None = None
    zone: str = "UTC"

    def canonical(self) -> dict[str, Any]:
        """Return the filter as JSON values, what is not set left out."""
        where = {column: list(values) for column, values in self.where}
        keys = {"event_type": list(self.event_type), "where": where, "when": self.when}
        kept = {key: value for key, value in keys.items() if value}
        return {**kept, "zone": self.zone} if self.zone != "UTC" else kept

    def narrowed(self, other: "Filter") -> "Filter":
        """Return the filter that picks what both pick."""
        types = other.event_type or self.event_type
        if self.event_type and other.event_type:
            types = tuple(each for each in self.event_type if each in other.event_type)
        zone = other.zone if other.when else self.zone
        return Filter(types, tuple(sorted({*self.where, *other.where})), other.when or self.when, zone)

    @property
    def words(self) -> str:
        """The events in words: `login or session events with plan team on Saturdays and Sundays`."""
        said = " or ".join(self.event_type) + " events" if self.event_type else "events"
        for column, values in self.where:
            said += f" with {column} {' or '.join(values)}"
        if self.when is not None:
            said += f" {WHEN[self.when]} ({self.zone})"
        return said


@dataclass(frozen=True)
class Aggregate:
    """One declared aggregate over a lead's events before `as_of`.

    Attributes
    ----------
    aggregate : str
        A name in `KINDS`.
    event_type, where, when, zone
        As in `Filter`.
    column : str or None
        What is summed, averaged, counted distinct ...; `count`, `active_days` and others take none.
    lookback : str or None
        A duration; None means everything before `as_of`. The window is half-open: `[as_of - lookback, as_of)`.
    of : Filter or None
        Of `share`: the events whose share among all picked is meant.
    recent : str or None
        Of `trend`: the last part of the lookback, which is compared with the part before it.
    numerator, denominator : Aggregate or None
        Of `ratio`.
    """

    aggregate: str
    event_type: tuple[str, ...] = ()
    column: str | None = None
    where: tuple[tuple[str, tuple[str, ...]], ...] = ()
    lookback: str | None = None
    when: str | None = None
    zone: str = "UTC"
    of: Filter | None = None
    recent: str | None = None
    numerator: "Aggregate | None" = None
    denominator: "Aggregate | None" = None

    @property
    def filter(self) -> Filter:
        """Which events it is about."""
        return Filter(self.event_type, self.where, self.when, self.zone)

    @property
    def parts(self) -> list["Aggregate"]:
        """The aggregates a ratio is made of, else itself."""
        return [each for each in (self.numerator, self.denominator) if each] or [self]

    @property
    def filters(self) -> list[Filter]:
        """Every filter in it."""
        own = [self.filter, *([self.filter.narrowed(self.of)] if self.of else [])]
        return own if self.parts == [self] else [each for part in self.parts for each in part.filters]

    @property
    def columns(self) -> set[str]:
        """The event columns it reads besides `user_id`, `timestamp` and `event_type`."""
        return self.raw_columns - ALWAYS_THERE

    @property
    def raw_columns(self) -> set[str]:
        """Every event column it names."""
        named = {column for each in self.filters for column, _ in each.where}
        return named | {part.column for part in self.parts if part.column}

    @property
    def numbers(self) -> set[str]:
        """The columns that must be numbers."""
        return {part.column for part in self.parts if part.column and not KINDS[part.aggregate].any_column}

    def canonical(self) -> dict[str, Any]:
        """Return the spec as JSON values in one spelling, what is not set left out.

        Examples
        --------
        >>> Aggregate("count", event_type=("login",), lookback="168h").canonical()
        {'aggregate': 'count', 'event_type': ['login'], 'lookback': '7d'}
        """
        spec: dict[str, Any] = {"aggregate": self.aggregate, "column": self.column, **self.filter.canonical()}
        for key in ("lookback", "recent"):
            length = getattr(self, key)
            spec[key] = format_duration(parse_duration(length)) if length else None
        for key in ("of", "numerator", "denominator"):
            part = getattr(self, key)
            spec[key] = part.canonical() if part else None
        return {key: value for key, value in spec.items() if value}

    @property
    def meaning(self) -> str:
        """What the value is, in words."""
        if self.numerator and self.denominator:
            return KINDS[self.aggregate].words.format(
                numerator=self.numerator.meaning, denominator=self.denominator.meaning
            )
        words = KINDS[self.aggregate].words.format(
            what=self.filter.words,
            column=self.column or "events",
            of=self.of.words if self.of else "",
            recent=self.recent,
        )
        lookback = format_duration(parse_duration(self.lookback)) if self.lookback else None
        return f"{words} {f'in the {lookback} before the score' if lookback else 'before the score'}"


def aggregate_feature(name: str, spec: Aggregate, where: str, numbers: Collection[str] = ("amount",)) -> Feature:
    """Return the feature that a spec declares.

    Parameters
    ----------
    name : str
    spec : Aggregate
    where : str
        Names its entry in messages.
    numbers : collection of str
        The event columns that are numbers: the first or last value of another is a category.

    Raises
    ------
    FeatureError
        When a key is missing or not wanted, or a duration is none or empty.
    """
    kind = KINDS[spec.aggregate]
    _refuse_keys(spec, where)
    lookbacks = [parse_duration(part.lookback) if part.lookback else None for part in spec.parts]
    is_text = kind.any_column and spec.aggregate in ("first", "last") and spec.column not in numbers
    calendars = {_calendar(each) for each in spec.filters}
    return Feature(
        name=name,
        function=partial(evaluate, spec=spec),
        source="events",
        event_types=_types(spec),
        columns=tuple(sorted(spec.columns)),
        lookback=None if None in lookbacks else max(each for each in lookbacks if each is not None),
        no_events=kind.no_events,
        missing=kind.missing if kind.no_events is None else None,
        unit=kind.unit,
        dtype="category" if is_text else "number",
        calendar=next((each for each in ("date", True) if each in calendars), False),
        meaning=spec.meaning,
        aggregate=spec,
    )


def _types(spec: Aggregate) -> tuple[str, ...]:
    """Return every event type it reads; none where it reads all in some part."""
    types = [part.event_type for part in spec.parts]
    return tuple(sorted({each for some in types for each in some})) if all(types) else ()


def _calendar(wanted: Filter) -> bool | str:
    return wanted.when is not None and ("date" if wanted.zone != "UTC" else True)


def _refuse_keys(spec: Aggregate, where: str) -> None:
    kind = KINDS[spec.aggregate]
    if (kind.column == "yes" and spec.column is None) or (kind.column == "no" and spec.column is not None):
        raise FeatureError(
            f"{where}: the aggregate {spec.aggregate} {'needs a' if kind.column == 'yes' else 'takes no'} column"
        )
    for key in ("of", "recent", "numerator", "denominator", "lookback"):
        given = getattr(spec, key) is not None
        if key in kind.takes and not given:
            raise FeatureError(f"{where}: the aggregate {spec.aggregate} needs {key}")
        if given and key not in kind.takes and key != "lookback":
            raise FeatureError(f"{where}: the aggregate {spec.aggregate} takes no {key}")
    lookback, recent = (_length(getattr(spec, key), f"{where}.{key}") for key in ("lookback", "recent"))
    if recent and lookback and recent >= lookback:
        raise FeatureError(f"{where}.recent: {spec.recent} is not shorter than the lookback {spec.lookback}")
    _refuse_parts(spec, where)


def _length(text: str | None, where: str) -> timedelta | None:
    try:
        length = parse_duration(text) if text is not None else None
    except ValueError as error:
        raise FeatureError(f"{where}: {error}") from None
    if length is not None and not length:
        raise FeatureError(f"{where}: {text} is an empty window")
    return length


def _refuse_parts(spec: Aggregate, where: str) -> None:
    if spec.numerator is not None and (spec.event_type or spec.where or spec.when or spec.lookback):
        raise FeatureError(f"{where}: the events of a ratio are said in its numerator and its denominator")
    if spec.of is not None and spec.when is not None and spec.of.when is not None:
        raise FeatureError(f"{where}: `when` stands in the share's events and in `of`: say it once")
    if spec.of is not None and spec.event_type and set(spec.of.event_type) - set(spec.event_type):
        strangers = sorted(set(spec.of.event_type) - set(spec.event_type))
        raise FeatureError(f"{where}.of.event_type: {', '.join(strangers)} is none of the event types it is a share of")
    own = {"user_id", "timestamp", "ingested_at"} & {*spec.raw_columns}
    if own:
        raise FeatureError(
            f"{where}: {', '.join(sorted(own))} is no column to count or filter by; event_type and the log's own "
            f"columns are (days_since_last, active_days and others look at the time)"
        )
    for key in ("numerator", "denominator"):
        part = getattr(spec, key)
        if part is None:
            continue
        if part.aggregate in ("ratio", "first", "last"):
            raise FeatureError(f"{where}.{key}: the aggregate {part.aggregate} is no number that a ratio can take")
        _refuse_keys(part, f"{where}.{key}")


def with_numbers(each: Feature, numbers: Collection[str]) -> Feature:
    """Return a registered aggregate as this data's numbers make it."""
    if each.aggregate is None or each.source != "events":
        return each
    built = aggregate_feature(each.name, each.aggregate, f"feature '{each.name}'", numbers)
    return each if built.dtype == each.dtype else replace(each, dtype=built.dtype)


def attribute_feature(name: str, column: str, kind: str) -> Feature:
    """Return the feature that hands on a lead's attribute as it is; `kind` is `number` or `category`."""
    return Feature(
        name=name,
        function=partial(_read_attribute, column=column),
        source="leads",
        columns=(column,),
        missing="not given",
        dtype=kind,
        meaning=f"the lead's {column}, as known at its creation",
        aggregate=Aggregate("attribute", column=column),
    )


def _read_attribute(leads: Any, _now: Any, *, column: str) -> Any:
    return leads.set_index("user_id")[column]
