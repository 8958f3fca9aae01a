"""Checks of the call itself: made twice, after another, at another time; what it changes, opens and returns."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from leadscore.features.audit.bench import Bench
from leadscore.features.audit.difference import Difference, conditions, differences
from leadscore.features.audit.lines import line_of_names

__all__ = ["clock", "contract", "files", "memory", "mutates", "repeat", "suspect", "text"]

LATER = timedelta(days=400, hours=5, minutes=7)


def repeat(bench: Bench) -> Iterator[Difference]:
    """Call again, with other seeds of the global generators and another salt of `hash`; nothing is reset between."""
    for now in bench.sample.instants:
        observations = bench.sample.at(now)
        bench.compute(observations, bench.sample.tables)
        with conditions(bench, seed=1, salted=True):
            after = bench.compute(observations, bench.sample.tables, fresh=False)
        for each in differences(bench, bench.base[now], after, observations):
            bench.silent.add(each.feature)
            yield each


def memory(bench: Bench) -> Iterator[Difference]:
    """Compute another instant first, and do not let the code forget it."""
    instants = bench.sample.instants
    for other, now in zip(instants, instants[::-1], strict=True):
        if other != now:
            observations = bench.sample.at(now)
            bench.compute(bench.sample.at(other), bench.sample.tables)
            after = bench.compute(observations, bench.sample.tables, fresh=False)
            for each in differences(bench, bench.base[now], after, observations):
                memory = [slot for name in bench.with_inputs(each.feature) for slot in bench.reached[name].memory]
                yield replace(each, slot=memory[0] if memory else None)


def clock(bench: Bench) -> Iterator[Difference]:
    """Move the wall clock."""
    for name in bench.comparable:  # numpy asks the system itself
        codes = [code for code in bench.reached[name].codes if "datetime64" in code.co_names]
        line = line_of_names([code for code in codes if {"now", "today"} & set(code.co_consts)], ("now", "today"))
        if line:
            yield Difference(name, said="numpy's datetime64 of 'now' or 'today' is read", line=line)
    for now in bench.sample.instants:
        observations = bench.sample.at(now)
        with conditions(bench, clock=bench.conditions.clock + LATER):
            after = bench.compute(observations, bench.sample.tables)
        yield from differences(bench, bench.base[now], after, observations)


def mutates(bench: Bench) -> Iterator[Difference]:
    """Compare what a function is handed before and after its call."""
    with conditions(bench, watch_arguments=True):
        bench.compute(bench.sample.at(bench.sample.instants[-1]), bench.sample.tables, names=bench.whole)
    for name, what in bench.conditions.mutated.items():
        if name in bench.names:
            yield Difference(name, said=f"{what} had other cells, labels or columns after the call than before")


def files(bench: Bench) -> Iterator[Difference]:
    """Listen to what is opened while a function runs."""
    with conditions(bench, watch_files=True):
        bench.compute(bench.sample.at(bench.sample.instants[-1]), bench.sample.tables, names=bench.whole)
    for name, opened in bench.conditions.opened.items():
        if name in bench.names:
            yield Difference(name, said=f"it {opened.what}", line=opened.line)


def contract(bench: Bench) -> Iterator[Difference]:
    """Tell what the engine refused in the base world."""
    for now, values in bench.base.items():
        for name, message in values.errors.items():
            if (bench.with_inputs(name) - {name}) & set(values.errors):
                continue  # told of the input
            yield Difference(name, as_of=now, said=message)


def text(bench: Bench) -> Iterator[Difference]:
    """Hand over numbers and categories, as the engine does where a function seems not to mind."""
    for now in bench.sample.instants:
        observations = bench.sample.at(now)
        after = bench.compute(observations, bench.sample.tables, way="true", bare=True)
        yield from differences(bench, bench.base[now], after, observations)


def suspect(bench: Bench) -> Iterator[Difference]:
    """Ask how well a feature alone tells the outcome: never an error."""
    own = bench.sample.own
    if "label" not in own or own["label"].nunique() < 2:
        return
    label = own["label"].to_numpy() == 1
    if min(label.sum(), (~label).sum()) < 10:
        return
    values = bench.compute(own.drop(columns="label"), bench.sample.tables, way="best")
    for name, column in values.columns.items():
        if column.dtype.kind == "f":
            reached = _auc(label, column)
            if reached > 0.88:
                strong = "suspect: " if reached > 0.97 else ""
                said = f"{strong}alone it tells {int(label.sum())} converted leads from {int((~label).sum())} others "
                yield Difference(name, said=f"{said}with an AUC of {reached:.3f}", severity="review")


def _auc(label: Any, values: Any) -> float:
    ranks = pd.Series(np.where(np.isnan(values), -np.inf, values)).rank().to_numpy()
    positives = int(label.sum())
    area = (ranks[label].sum() - positives * (positives + 1) / 2) / (positives * (len(label) - positives))
    return float(max(area, 1 - area))
