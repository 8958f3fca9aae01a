"""Whether the data have what the features read, asked before anything is computed."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from leadscore.errors import FeatureError, did_you_mean, examples, raise_all
from leadscore.eventlog import EventLog
from leadscore.features.blocks import as_numbers
from leadscore.features.plan import Plan
from leadscore.features.registry import Feature
from leadscore.tables import Tables

__all__ = ["check_sources", "lacking_sources"]


def check_sources(plan: Plan, tables: Tables) -> None:
    """Refuse features whose table, columns, event types or values the data do not have, all at once.

    A column of zeros because of a misspelt event type looks like a feature; it is an error.

    Raises
    ------
    FeatureError
    """
    if tables.log is None:  # said once for all
        if plan.needs_events:
            raise FeatureError(
                f"{len(plan.needs_events)} features read events ({examples(plan.needs_events)}), and the data have "
                f"none (data.events is not set): choose features that read the lead table, as in features=attributes"
            )
        return
    raise_all(FeatureError, [problem for problems in lacking_sources(plan, tables).values() for problem in problems])


def lacking_sources(plan: Plan, tables: Tables, *, every_type: bool = True) -> dict[str, list[str]]:
    """Return what each feature or definition reads that the data do not have, a sentence each.

    Parameters
    ----------
    plan : Plan
    tables : Tables
    every_type : bool
        Whether a feature of several event types, or of several values of a column, lacks each one that no event has;
        else only when no event has any of them, as in the log of a few days.
    """
    found = {}
    for step in plan.steps:
        each = step.feature
        if each.source != "events":
            problems = list(_lacking_attributes(each, tables))
        elif tables.log is None:
            problems = [f"feature '{each.name}' reads events, and the data have none"]
        else:
            problems = list(_lacking(each, tables.log, every_type))
        if problems:
            found[each.name] = problems
    return found


def _lacking_attributes(each: Feature, tables: Tables) -> Iterator[str]:
    absent = [name for name in each.columns if name not in tables.leads]
    if absent:
        yield f"feature '{each.name}' reads the lead column {examples(absent)}, which the lead table does not have"
    for name in each.columns:
        kind = tables.attributes.get(name)
        if _is_attribute(each) and kind is not None and kind != each.dtype:
            yield f"feature '{each.name}' reads the lead column '{name}' as a {each.dtype}, and it is a {kind} there"


def _is_attribute(each: Feature) -> bool:
    return each.aggregate is not None and each.aggregate.aggregate == "attribute"


def _lacking(each: Feature, log: EventLog, every_type: bool) -> Iterator[str]:
    where, spec, types = f"feature '{each.name}'", each.aggregate, log.words["event_type"]
    absent = [name for name in each.columns if name not in log.names]
    if absent:
        there = ", ".join(sorted([*log.names, "user_id"]))
        yield f"{where} reads the event column {examples(absent)}; the log has {there} (data.events.columns maps them)"
    asked = sorted({name for some in spec.filters for name in some.event_type}) if spec else each.event_types
    unseen = [name for name in asked if name not in types]
    if unseen and (every_type or len(unseen) == len(asked)):
        yield (
            f"{where} reads events of type {examples(unseen)}; no event has it. "
            f"{did_you_mean(unseen[0], types, 'Types in the log')} Map names with data.event_types"
        )
    if spec is None:
        return
    for name in sorted(spec.numbers):
        if name in log.names and log.kind(name) != "number":
            yield (
                f"{where}: {spec.aggregate} needs a number, and the event column '{name}' is a {log.kind(name)}; "
                f"data.events.numbers lists the columns that are numbers"
            )
    for column, values in sorted({pair for some in spec.filters for pair in some.where}):
        if column in log.names:
            never = [value for value in values if not _occurs(log, column, value)]
            if never and (every_type or len(never) == len(values)):
                known = did_you_mean(never[0], _values(log, column), "Values there")
                yield f"{where} counts events whose {column} is {examples(never)}; no event has it. {known}"


def _occurs(log: EventLog, column: str, value: str) -> bool:
    if column in log.words:
        return value in log.words[column]
    return any(bool(np.isin(part.columns[column], as_numbers([value])).any()) for part in log.parts)


def _values(log: EventLog, column: str) -> list[str]:
    if column in log.words:
        return list(log.words[column][:20])
    return [f"{value:g}" for value in pd.unique(log.parts[0].columns[column][:1000])[:20]]
