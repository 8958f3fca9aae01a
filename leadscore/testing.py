"""For tests of your own features: one line tells whether a feature is correct at each instant.

`assert_point_in_time(tickets_last_14_days)` needs no data; it makes a world that fits the declaration.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from leadscore.eventlog import EventLog
from leadscore.features.audit import audit
from leadscore.features.plan import Plan, make_plan
from leadscore.features.registry import DEFINITIONS, FEATURES, Feature
from leadscore.tables import TIME_DTYPE, Tables

__all__ = ["assert_point_in_time", "make_world"]

START = pd.Timestamp("2024-01-01", tz="UTC")
DAYS = 150
SNAPSHOTS = (45, 80, 115)  # days after START at which leads are observed
SPREAD = (0.02, 0.3, 2.0, 9.0, 40.0)  # days from one event of a lead to its next


def assert_point_in_time(
    feature: Callable[..., Any] | str,
    *,
    tables: Tables | None = None,
    observations: pd.DataFrame | None = None,
    definitions: Mapping[str, str] | None = None,
    seed: int = 0,
    **parameters: Any,
) -> None:
    """Fail when a feature depends on anything that was not known at the instant of the score, or breaks its word.

    Every check of the audit is tried: the future dropped, altered and doubled; late rows; undeclared lead columns;
    the order of rows; calls before; randomness; the clock; the rows that it is handed; its lookback; other leads; the
    calendar; leads' ids; files; its contract; plain text. What is only worth a look (`review`) does not fail.

    Parameters
    ----------
    feature : callable or str
        The decorated function, or the name of a registered feature, aggregate or definition.
    tables : Tables, optional
    observations : DataFrame, optional
        `user_id`, `as_of`, `lead_row`. Without tables a random world is made that fits the declaration, see
        `make_world`: its columns are numbers, and where the function cannot take these, texts.
    definitions : mapping of str to str, optional
        Concept to the definition meant; default each concept's first by name.
    seed : int
    **parameters
        The feature's own.

    Raises
    ------
    AssertionError
        With every finding in words.
    FeatureError
        When no such feature is registered.

    Notes
    -----
    A feature may be honest in time and yet a by-product of the sale, such as a call that is booked when the contract
    is signed: no test of code can see that.

    Examples
    --------
    >>> from leadscore.features import FEATURES, feature
    >>> @feature(source="events", event_type="ticket", lookback="14d", no_events=0)
    ... def tickets_example(events_df, now):
    ...     '''Support tickets in the two weeks before the score.'''
    ...     return events_df.groupby("user_id").size()
    >>> assert_point_in_time(tickets_example)
    >>> del FEATURES["tickets_example"]
    """
    each = _found(feature)
    meant = {concept: min(known) for concept, known in DEFINITIONS.items() if known} | dict(definitions or {})
    attributes = {} if tables is None else dict(tables.attributes)
    if tables is None:
        attributes = dict(_lead_columns(each, meant))
    plan = _plan(each, parameters, meant, attributes)
    if tables is not None:
        asked = observations if observations is not None else _observations(tables)
        report = audit(plan, tables, asked, seed=seed)
    else:
        report = audit(plan, *make_world(plan, seed=seed), seed=seed)
        if any(finding.check == "contract" for finding in report.errors) and _own_columns(plan):
            other = audit(plan, *make_world(plan, seed=seed, texts=True), seed=seed)
            report = report if any(finding.check == "contract" for finding in other.errors) else other
    messages = [finding.message for finding in report.errors]
    assert not messages, "\n".join([f"{each.name} is not correct at each instant:", *messages])


def make_world(
    plan: Plan | None = None,
    *,
    n_leads: int = 240,
    seed: int = 0,
    event_types: Iterable[str] = ("login", "session", "invoice"),
    texts: bool = False,
) -> tuple[Tables, pd.DataFrame]:
    """Make random tables that fit what a plan's features declare, and observations of them.

    Parameters
    ----------
    plan : Plan, optional
        Its event types, columns and lead attributes are in the world.
    n_leads : int
    seed : int
    event_types : iterable of str
        Types besides the plan's.
    texts : bool
        Whether the columns that functions declare hold texts; else numbers, where nothing says otherwise.

    Returns
    -------
    (Tables, DataFrame)
        Leads that convert, close or stay open; events up to months later, on weekends and at one instant too, some of
        which arrive late; and `user_id`, `as_of`, `label`, `lead_row` at three instants.

    Examples
    --------
    >>> tables, observations = make_world(n_leads=50)
    >>> len(tables.leads), sorted(observations)
    (50, ['as_of', 'label', 'lead_row', 'user_id'])
    """
    rng = np.random.default_rng(seed)
    steps = [step.feature for step in plan.steps] if plan else []
    leads = _leads(n_leads, rng)
    attributes = {}
    for name, kind in sorted({pair for each in steps for pair in _attribute_kinds(each)}):
        attributes[name] = kind
        leads[name] = _cells(n_leads, rng, texts=kind == "category", words=("DE", "FR", "US"))
    events = _events(leads, steps, sorted({*event_types, *_types(steps)}), rng, texts=texts)
    tables = Tables(leads, EventLog.from_frame(events), START + pd.Timedelta(days=DAYS + 30), attributes)
    return tables, _observations(tables)


def _found(feature: Callable[..., Any] | str) -> Feature:
    name = feature if isinstance(feature, str) else feature.__name__
    held = [FEATURES.get(name), *(known.get(name) for known in DEFINITIONS.values())]
    for each in held:
        if each is not None and (isinstance(feature, str) or each.function is feature):
            return each
    from leadscore.features.registry import find_feature

    if isinstance(feature, str):
        return find_feature(name)
    raise AssertionError(f"{name} is not a registered feature or definition: decorate it with @feature(...)")


def _plan(
    each: Feature, parameters: Mapping[str, Any], meant: Mapping[str, str], attributes: Mapping[str, str]
) -> Plan:
    if FEATURES.get(each.name) is each:
        return make_plan({each.name: dict(parameters)}, meant, attributes)
    # A definition is no column by itself: it is planned as the input of a feature that hands it on.
    concept = next(concept for concept, known in DEFINITIONS.items() if known.get(each.name) is each)
    FEATURES[each.name] = each
    try:
        return make_plan({each.name: dict(parameters)}, {**meant, concept: each.name}, attributes)
    finally:
        del FEATURES[each.name]


def _lead_columns(each: Feature, meant: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield the lead columns that a feature and its inputs declare, with their kinds."""
    yield from _attribute_kinds(each)
    for need in each.needs:
        found = DEFINITIONS[need][meant[need]] if need in DEFINITIONS else FEATURES.get(need)
        if found is not None:
            yield from _lead_columns(found, meant)


def _attribute_kinds(each: Feature) -> list[tuple[str, str]]:
    return [(name, each.dtype) for name in each.columns] if each.source == "leads" else []


def _types(steps: Iterable[Feature]) -> set[str]:
    types = {name for each in steps for name in each.event_types}
    specs = [each.aggregate for each in steps if each.aggregate is not None and each.source == "events"]
    return types | {name for spec in specs for some in spec.filters for name in some.event_type}


def _own_columns(plan: Plan) -> bool:
    return any(step.feature.columns for step in plan.steps if step.feature.source == "events")


def _leads(n: int, rng: np.random.Generator) -> pd.DataFrame:
    created = START + pd.to_timedelta(np.sort(rng.integers(0, DAYS * 86_400, n)), unit="s")
    leads = pd.DataFrame({"user_id": pd.Series([f"u{number:05d}" for number in rng.permutation(n)], dtype="str")})
    leads["created_at"] = pd.Series(created).astype(TIME_DTYPE)
    fate = rng.choice(["open", "converted", "closed"], n, p=[0.5, 0.3, 0.2])
    decided = leads["created_at"] + pd.to_timedelta(rng.integers(5 * 86_400, 70 * 86_400, n), unit="s")
    leads["status"] = pd.Series(fate, dtype="str")
    leads["converted_at"] = decided.where(fate == "converted").astype(TIME_DTYPE)
    leads["closed_at"] = decided.where(fate == "closed").astype(TIME_DTYPE)
    return leads


def _events(
    leads: pd.DataFrame, steps: list[Feature], types: list[str], rng: np.random.Generator, *, texts: bool
) -> pd.DataFrame:
    n = rng.integers(0, 40, len(leads))
    lead = np.repeat(np.arange(len(leads)), n)
    gaps = rng.exponential(rng.choice(SPREAD, len(lead)))
    days = pd.Series(gaps).groupby(lead).cumsum().clip(upper=120.0).to_numpy()
    created = leads["created_at"].iloc[lead].reset_index(drop=True)
    time = created + pd.to_timedelta((days * 86_400).astype("int64"), unit="s")
    tied = rng.random(len(lead)) < 0.1  # several events at one instant, and at midnight
    time = time.mask(pd.Series(tied), time.dt.ceil("D"))
    events = pd.DataFrame({"user_id": leads["user_id"].iloc[lead].reset_index(drop=True), "timestamp": time})
    events["event_type"] = pd.Series(rng.choice(types, len(lead)), dtype="str")
    late = pd.to_timedelta(np.where(rng.random(len(lead)) < 0.2, rng.integers(60, 5 * 86_400, len(lead)), 0), unit="s")
    events["ingested_at"] = (events["timestamp"] + late).astype(TIME_DTYPE)
    events["timestamp"] = events["timestamp"].astype(TIME_DTYPE)
    numbers, words = _columns(steps)
    for name in sorted({column for each in steps if each.source == "events" for column in each.columns}):
        is_text = name not in numbers and (texts or name in words)
        events[name] = _cells(len(events), rng, texts=is_text, words=("red", "green", *words.get(name, ())))
    return events


def _columns(steps: list[Feature]) -> tuple[set[str], dict[str, list[str]]]:
    """Return the event columns that aggregates take numbers from, and the words that they look for in others."""
    specs = [each.aggregate for each in steps if each.aggregate is not None and each.source == "events"]
    steps = [each for each in steps if each.source == "events"]
    numbers = {name for spec in specs for name in spec.numbers}
    words: dict[str, list[str]] = {}
    for spec in specs:
        for some in spec.filters:
            for column, values in some.where:
                words[column] = sorted({*words.get(column, []), *values})
    for each in steps:  # the first or last of texts is a category
        if each.aggregate is not None and each.dtype == "category" and each.aggregate.column:
            words.setdefault(each.aggregate.column, ["blue"])
    return numbers, words


def _cells(n: int, rng: np.random.Generator, *, texts: bool, words: Iterable[str]) -> pd.Series:
    if texts:
        return pd.Series(rng.choice(sorted(set(words)), n), dtype="str")
    return pd.Series(np.round(rng.gamma(2.0, 20.0, n), 2))


def _observations(tables: Tables) -> pd.DataFrame:
    """Observe every lead that exists, at three instants between the first creation and the end of the data."""
    leads = tables.leads.drop_duplicates("user_id")
    first, last = leads["created_at"].min(), tables.data_end
    pieces = []
    for day in SNAPSHOTS:
        as_of = (first + (last - first) * (day / (DAYS + 30))).floor("h")
        some = leads[leads["created_at"] <= as_of]
        soon = pd.Series(False, index=some.index)
        if "converted_at" in some:
            soon = (some["converted_at"] >= as_of) & (some["converted_at"] < as_of + pd.Timedelta(days=30))
        own = {"user_id": some["user_id"], "as_of": as_of, "label": soon.astype("int8"), "lead_row": some.index}
        pieces.append(pd.DataFrame(own))
    observed = pd.concat(pieces, ignore_index=True)
    return observed.assign(as_of=observed["as_of"].astype(TIME_DTYPE))
