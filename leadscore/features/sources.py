"""Whether the data have what the features read, asked before anything is computed."""

from collections.abc import Iterator

import pandas as pd

from leadscore.errors import FeatureError, did_you_mean, examples, raise_all
from leadscore.features.aggregates import matching
from leadscore.features.plan import Plan
from leadscore.features.registry import Feature
from leadscore.tables import Tables

__all__ = ["check_sources"]


def check_sources(plan: Plan, tables: Tables) -> None:
    """Refuse features whose table, columns, event types or values the data do not have, all at once.

    A column of zeros because of a misspelt event type looks like a feature; it is an error.

    Raises
    ------
    FeatureError
    """
    if tables.events is None:
        if plan.needs_events:
            raise FeatureError(
                f"{len(plan.needs_events)} features read events ({examples(plan.needs_events)}), and the data have "
                f"none (data.events is not set): choose features that read the lead table, as in features=attributes"
            )
        return
    types = set(tables.events["event_type"].unique())
    problems = [
        problem
        for step in plan.steps
        if step.feature.source == "events"
        for problem in _lacking(step.feature, tables.events, types)
    ]
    raise_all(FeatureError, problems)


def _lacking(each: Feature, events: pd.DataFrame, types: set[str]) -> Iterator[str]:
    where = f"feature '{each.name}'"
    absent = [name for name in each.columns if name not in events]
    if absent:
        yield (
            f"{where} reads the event column {examples(absent)}; the log has {', '.join(sorted(events))} "
            f"(data.events.columns maps them)"
        )
    unseen = [name for name in each.event_types if name not in types]
    if unseen:
        yield (
            f"{where} reads events of type {examples(unseen)}; no event has it. "
            f"{did_you_mean(unseen[0], types, 'Types in the log')} Map names with data.event_types"
        )
    for column, values in each.aggregate.where if each.aggregate else ():
        if column in events:
            never = [value for value in values if not matching(events[column], [value]).any()]
            if never:
                known = did_you_mean(never[0], map(str, events[column].dropna().unique()[:20]), "Values there")
                yield f"{where} counts events whose {column} is {examples(never)}; no event has it. {known}"
