"""What a feature declares, and the registry that knows every feature and definition by name.

A feature is one pure function and one declaration. The declaration says what the engine must know to call it
safely (source, event types, columns, lookback) and what a reader must know to trust it (no-events value,
meaning of missing, unit). Registering happens on import: theme modules are imported by name in
`leadscore.features`, a team's own through `plugins`.
"""

import dis
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from types import FunctionType, MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from leadscore.errors import FeatureError, did_you_mean
from leadscore.times import format_duration, parse_duration

if TYPE_CHECKING:
    from leadscore.features.aggregates import Aggregate

__all__ = [
    "DEFINITIONS",
    "FEATURES",
    "Feature",
    "definition",
    "feature",
    "find_definition",
    "find_feature",
    "is_shipped",
    "register",
]

Function = TypeVar("Function", bound=Callable[..., Any])
SOURCES = ("events", "leads")
DTYPES = ("number", "category")
CALENDARS = (False, True, "date")
PLUGINS = "Your own join when plugins names their module: plugins=[my_features]."


@dataclass(frozen=True)
class Feature:
    """One column of the model table: a pure function and what it promises.

    Attributes
    ----------
    name : str
        Also the column's name.
    function : callable
        `function(rows, now, *, parameter=default, other_feature)` returning a Series indexed by `user_id`.
        A `leads` feature that needs no clock may leave `now` out.
    source : {'events', 'leads'}
        The table whose rows it is handed: only rows with `timestamp < now` (and `ingested_at <= now`) of
        `events`; only `user_id`, `created_at` and the declared columns of `leads`.
    event_types : tuple of str
        Rows of other types are filtered out before the call; empty means all types.
    columns : tuple of str
        Columns it reads besides `user_id`, `timestamp`, `event_type` (or `created_at`).
    lookback : timedelta or None
        It sees the half-open window `[now - lookback, now)`; None means everything before `now`.
    no_events : float, str or None
        The value of a lead for which the function returns nothing. None leaves it missing.
    missing : str or None
        What a missing value means, in words ("has never logged in"). None: a missing value is an error.
    unit : str
        What is counted or measured.
    dtype : {'number', 'category'}
        float64 or str in the table.
    calendar : bool or 'date'
        What of the calendar its value depends on, besides distances to `now`. False: nothing, so its events may be
        shifted until every lead's `now` is one instant, and one call serves all. True: weekdays and times of day
        in UTC, which come again every week, so they may be shifted by whole weeks. 'date': months, days of the month,
        holidays, or a zone with clock changes; it gets true times, one call for each distinct `now`.
    across_leads : bool
        True when a lead's value depends on other leads (a rank, a share of all). It gets true times and all leads
        observed at `now` in one call.
    bounds : tuple of (float or None, float or None)
        The least and the greatest value it may give, both allowed; None is no bound.
    meaning : str
        The docstring's first line.
    parameters : mapping of str to value
        Keyword-only arguments with a default: what a set's mapping may change.
    needs : tuple of str
        Keyword-only arguments without a default: other features or business concepts, by name.
    aggregate : Aggregate or None
        The declared form, when the function was built from one.
    """

    name: str
    function: Callable[..., Any]
    source: str
    event_types: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    lookback: timedelta | None = None
    no_events: float | str | None = None
    missing: str | None = None
    unit: str = ""
    dtype: str = "number"
    calendar: bool | str = False
    across_leads: bool = False
    bounds: tuple[float | None, float | None] = (None, None)
    meaning: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    aggregate: "Aggregate | None" = None

    @property
    def takes_now(self) -> bool:
        """Whether the function has a second positional argument."""
        return self.aggregate is not None or len(_positional(self.function)) > 1

    @property
    def reads_now(self) -> bool:
        """Whether the function looks at its second positional argument; one whose code is not known may."""
        function = self.function
        while isinstance(function, partial):
            function = function.func
        if not self.takes_now or not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
            return self.takes_now
        code, now = function.__code__, _positional(function)[1].name
        loads = (each for each in dis.get_instructions(code) if each.opname.startswith("LOAD"))
        return now in code.co_cellvars or any(_names(each.argval, now) for each in loads)

    @property
    def missing_allowed(self) -> bool:
        """Whether the column may hold missing values."""
        return self.missing is not None

    @property
    def window(self) -> str:
        """Its rows in words: "7d before the score", "all before the score"."""
        if self.source == "leads":
            return "the lead's own row"
        return f"{format_duration(self.lookback)} before the score" if self.lookback else "all before the score"


FEATURES: dict[str, Feature] = {}
DEFINITIONS: dict[str, dict[str, Feature]] = {}  # concept -> definition name -> how it is computed


def feature(  # noqa: PLR0913 - a declaration says all of it by name
    *,
    source: str,
    event_type: str | Iterable[str] = (),
    columns: Iterable[str] = (),
    lookback: str | None = None,
    no_events: float | str | None = None,
    missing: str | None = None,
    unit: str = "",
    dtype: str = "number",
    calendar: bool | str = False,
    across_leads: bool = False,
    bounds: tuple[float | None, float | None] = (None, None),
) -> Callable[[Function], Function]:
    """Register the decorated function as a feature under its own name; the function itself is unchanged.

    Parameters
    ----------
    source, columns, no_events, missing, unit, dtype, calendar, across_leads, bounds
        See `Feature`.
    event_type : str or iterable of str
        One type or several; none means all.
    lookback : str, optional
        A duration such as `7d`.

    Raises
    ------
    FeatureError
        When the declaration contradicts itself or the name is taken.

    Examples
    --------
    >>> @feature(source="events", event_type="session", lookback="2d", no_events=0, unit="sessions")
    ... def sessions_last_2_days_example(events_df, now):
    ...     '''Sessions in the two days before the score is made.'''
    ...     return events_df.groupby("user_id").size()
    >>> FEATURES.pop("sessions_last_2_days_example").window
    '2d before the score'
    """

    def decorate(function: Function) -> Function:
        register(FEATURES, _declared(function, **declaration))
        return function

    declaration: dict[str, Any] = {
        "source": source,
        "event_types": (event_type,) if isinstance(event_type, str) else tuple(event_type),
        "columns": tuple(columns),
        "lookback": lookback,
        "no_events": no_events,
        "missing": missing,
        "unit": unit,
        "dtype": dtype,
        "calendar": calendar,
        "across_leads": across_leads,
        "bounds": tuple(bounds),
    }
    return decorate


def definition(concept: str, **declaration: Any) -> Callable[[Function], Function]:
    """Register the decorated function as one definition of a business concept.

    Takes what `feature` takes. The config says which definition is meant (`definitions.CONCEPT=NAME`), and
    every feature with a keyword-only argument named like the concept is handed its values.
    """

    def decorate(function: Function) -> Function:
        event_type = declaration.pop("event_type", ())
        types = (event_type,) if isinstance(event_type, str) else tuple(event_type)
        register(DEFINITIONS.setdefault(concept, {}), _declared(function, event_types=types, **declaration))
        return function

    return decorate


def register(registry: dict[str, Feature], new: Feature) -> None:
    """Add `new` to a registry; a name that another function holds is refused with both places."""
    held = registry.get(new.name)
    if held is not None and (_place(held) != _place(new) or held.aggregate != new.aggregate):
        raise FeatureError(f"'{new.name}' is registered twice: {_place(held)} and {_place(new)}")
    registry[new.name] = new


def find_feature(name: str) -> Feature:
    """Return the registered feature of that name."""
    if name not in FEATURES:
        raise FeatureError(f"unknown feature '{name}'. {did_you_mean(name, FEATURES, 'Registered')} {PLUGINS}")
    return FEATURES[name]


def find_definition(concept: str, name: str) -> Feature:
    """Return the registered definition `name` of `concept`."""
    if concept not in DEFINITIONS:
        raise FeatureError(f"definitions.{concept}: unknown concept. {did_you_mean(concept, DEFINITIONS, 'Concepts')}")
    if name not in DEFINITIONS[concept]:
        known = did_you_mean(name, DEFINITIONS[concept], "Registered")
        raise FeatureError(f"definitions.{concept}={name}: unknown definition. {known} {PLUGINS}")
    return DEFINITIONS[concept][name]


def is_shipped(each: Feature) -> bool:
    """Whether a feature's function comes with leadscore."""
    function = getattr(each.function, "func", each.function)  # an aggregate is a partial
    return str(function.__module__).startswith("leadscore.")


def _declared(function: Callable[..., Any], *, lookback: str | None = None, **declaration: Any) -> Feature:
    name = function.__name__
    documentation = inspect.getdoc(function)
    keyword_only = {
        argument.name: argument.default
        for argument in inspect.signature(function).parameters.values()
        if argument.kind is argument.KEYWORD_ONLY
    }
    new = Feature(
        name=name,
        function=function,
        lookback=_lookback(name, lookback),
        meaning=documentation.splitlines()[0] if documentation else "",
        parameters=MappingProxyType(
            {key: value for key, value in keyword_only.items() if value is not inspect.Parameter.empty}
        ),
        needs=tuple(key for key, value in keyword_only.items() if value is inspect.Parameter.empty),
        **declaration,
    )
    _refuse_contradictions(new)
    return new


def _lookback(name: str, text: str | None) -> timedelta | None:
    if text is None:
        return None
    try:
        return parse_duration(text)
    except ValueError as error:
        raise FeatureError(f"feature '{name}', lookback: {error}") from None


def _refuse_contradictions(new: Feature) -> None:
    where = f"feature '{new.name}' ({_place(new)})"
    if not new.meaning:
        raise FeatureError(f"{where} has no docstring; its first line is the feature's meaning")
    if new.source not in SOURCES:
        raise FeatureError(f"{where}: source {new.source!r}. {did_you_mean(new.source, SOURCES, 'Allowed')}")
    _refuse_values(new, where)
    if new.no_events is None and new.missing is None:
        raise FeatureError(
            f"{where} says neither no_events (the value of a lead without such rows) nor missing "
            f"(what a missing value means): one of them is needed"
        )
    handed = {"user_id", "timestamp", "event_type", "created_at"} & set(new.columns)
    if handed or len(set(new.columns)) < len(new.columns):
        raise FeatureError(f"{where}: columns={list(new.columns)} repeats one, or one that is always handed over")
    if new.lookback is not None and not new.lookback:
        raise FeatureError(f"{where}: a lookback of 0d is an empty window")
    if new.source == "leads" and (new.lookback or new.event_types):
        raise FeatureError(f"{where}: lookback and event_type are for source='events'")
    positional = _positional(new.function)
    if not 1 <= len(positional) <= 2 or (new.source == "events" and len(positional) == 1):
        raise FeatureError(
            f"{where} takes {len(positional)} positional arguments; it is handed the rows and the instant of the score"
        )


def _refuse_values(new: Feature, where: str) -> None:
    if new.dtype not in DTYPES:
        raise FeatureError(f"{where}: dtype {new.dtype!r}. {did_you_mean(new.dtype, DTYPES, 'Allowed')}")
    if new.calendar not in CALENDARS:
        raise FeatureError(f"{where}: calendar={new.calendar!r} is not one of False, True, 'date'")
    low, high = new.bounds if len(new.bounds) == 2 else (1, 0)
    if low is not None and high is not None and low > high:
        raise FeatureError(f"{where}: bounds={new.bounds!r} is not (least, greatest), as in (0, 1) or (0, None)")


def _names(argument: Any, name: str) -> bool:
    return argument == name or (isinstance(argument, tuple) and name in argument)  # newer Pythons load two at once


def _positional(function: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = inspect.signature(function).parameters.values()
    return [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]


def _place(item: Feature) -> str:
    if item.aggregate is not None:
        return f"the aggregate {item.aggregate.canonical()}"
    code = getattr(item.function, "__code__", None)
    return f"{code.co_filename}:{code.co_firstlineno}" if code else item.function.__module__
