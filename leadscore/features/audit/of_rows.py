"""Checks that alter rows: the future, late and old ones, undeclared columns, their order."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np

from leadscore.features.audit import edits
from leadscore.features.audit.bench import Bench, Values
from leadscore.features.audit.difference import Captured, Difference, conditions, differences, edited_log, with_edit
from leadscore.features.audit.sample import UNSEEN

__all__ = ["duplicate", "late", "lookback", "order", "perturb", "state", "truncate"]


def truncate(bench: Bench) -> Iterator[Difference]:
    """Drop what lies at or after `as_of`."""
    yield from with_edit(bench, edits.drop_future, edited_log(bench, edits.drop_future))


def perturb(bench: Bench) -> Iterator[Difference]:
    """Alter what lies at or after `as_of`."""
    yield from with_edit(bench, edits.perturb_future, edited_log(bench, edits.perturb_future))


def duplicate(bench: Bench) -> Iterator[Difference]:
    """Double what lies at or after `as_of`."""
    yield from with_edit(bench, edits.duplicate_future, edited_log(bench, edits.duplicate_future))


def late(bench: Bench) -> Iterator[Difference]:
    """Drop what arrived after `as_of`; in a log without arrival times, some rows are given one."""
    events = bench.sample.events
    if events is None or "ingested_at" in events:
        yield from with_edit(bench, edits.drop_late, edited_log(bench, edits.drop_late))
        return
    late = bench.rng.random(len(events)) < 0.2
    late &= (events["user_id"] != UNSEEN).to_numpy()
    for now in () if bench.trusting else bench.sample.instants:
        observations = bench.sample.at(now)
        arrived = events["timestamp"].mask(late, events["timestamp"].clip(lower=now) + timedelta(microseconds=1))
        without = bench.sample.with_events(events[~(late & (events["timestamp"] < now))])
        before = bench.compute(observations, without)
        after = bench.compute(observations, bench.sample.with_events(events.assign(ingested_at=arrived)))
        yield from differences(bench, before, after, observations)
    yield from with_edit(bench, edits.drop_late, lambda _: bench.sample.tables)


def state(bench: Bench) -> Iterator[Difference]:
    """Permute among leads what has no date, and every lead column that is not declared."""
    tables = bench.sample.tables
    undeclared = [name for name in tables.leads if name not in ("user_id", "created_at", *tables.attributes)]
    order = bench.rng.permutation(len(tables.leads))
    leads = tables.leads.assign(**{name: tables.leads[name].array.take(order) for name in undeclared})
    yield from with_edit(bench, edits.permute_values, lambda _: replace(tables, leads=leads))


def order(bench: Bench) -> Iterator[Difference]:
    """Put leads, observations and rows in another order; a function gets its leads in another order too."""
    sample, rng = bench.sample, bench.rng
    rows = rng.permutation(len(sample.tables.leads))
    place = np.argsort(rows)
    events = sample.events.iloc[rng.permutation(len(sample.events))] if sample.events is not None else None
    tables = replace(sample.with_events(events), leads=sample.tables.leads.iloc[rows].reset_index(drop=True))
    for now in sample.instants:
        observations = sample.at(now)
        order = rng.permutation(len(observations))
        shuffled = observations.assign(lead_row=place[observations["lead_row"]]).iloc[order].reset_index(drop=True)
        with conditions(bench, mixed=True):
            found = bench.compute(shuffled, tables, change=bench.changer(edits.shuffle_rows, now))
        back = np.argsort(order)
        after = Values({name: values[back] for name, values in found.columns.items()}, found.errors)
        captured = Captured(bench, observations, edits.shuffle_rows, now)
        for each in differences(bench, bench.base[now], after, observations, captured):
            if each.slot is None:  # it moves with every alteration that moves a row
                bench.silent.add(each.feature)
            yield each


def lookback(bench: Bench) -> Iterator[Difference]:
    """Drop rows older than the declared lookback, the longest among a feature and its inputs."""
    names: dict[timedelta, list[str]] = {}
    for name in bench.comparable:
        lengths = [
            bench.features[each].lookback for each in bench.with_inputs(name) if bench.features[each].source == "events"
        ]
        if lengths and None not in lengths:
            names.setdefault(max(lengths), []).append(name)  # type: ignore[type-var,arg-type]
    for length, own in names.items():
        edit = edits.drop_old(length)
        yield from with_edit(bench, edit, edited_log(bench, edit), own)
