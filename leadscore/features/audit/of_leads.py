"""Checks that alter the company of a lead: alone, at an instant of its own, under another id."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from leadscore.features.audit.bench import Bench, Values, moved
from leadscore.features.audit.difference import Difference, differences

__all__ = ["alone", "rename", "shift"]

OWN_INSTANTS = 8  # leads of which each has an instant of its own, in `shift`
ALONE = 3  # leads that are also computed one by one


def alone(bench: Bench) -> Iterator[Difference]:
    """Compute some leads without the others, and a few one by one."""
    names = [
        name
        for name in bench.comparable
        if not any(bench.features[each].across_leads for each in bench.with_inputs(name))
    ]
    for now in bench.sample.instants:
        observations = bench.sample.at(now)
        n = len(observations)
        parts = [np.sort(bench.rng.permutation(n)[: max(1, n // 3)])]
        parts += [np.array([place]) for place in bench.rng.permutation(n)[: 1 if bench.trusting else ALONE]]
        for part in parts:
            some = observations.iloc[part].reset_index(drop=True)
            before = Values({name: bench.base[now].columns[name][part] for name in names})
            after = bench.compute(some, bench.sample.tables, names=names)
            yield from differences(bench, before, after, some)


def shift(bench: Bench) -> Iterator[Difference]:
    """Compare events moved in time with events in place, for leads that each have an instant of their own."""
    weekly = [name for name in bench.comparable if bench.features[name].calendar is True]
    for names, grid in ((set(bench.comparable) - set(weekly), "s"), (set(weekly), "7D")):
        chosen = [name for name in bench.comparable if name in names]
        if chosen:
            observations = _own_instants(bench, grid)
            before = bench.compute(observations, bench.sample.tables, names=chosen, way="true")
            after = bench.compute(observations, bench.sample.tables, names=chosen, way="shifted")
            yield from differences(bench, before, after, observations)


def _own_instants(bench: Bench, grid: str) -> pd.DataFrame:
    """Observe some leads, each at an instant of its own, a multiple of `grid` from the end of the data."""
    leads, end = bench.sample.tables.leads, bench.sample.tables.data_end
    rows = bench.rng.permutation(len(leads))[:OWN_INSTANTS]
    created = leads["created_at"].iloc[rows].reset_index(drop=True)
    before_end = (end - created) * pd.Series(bench.rng.uniform(0.0, 0.98, len(rows)))
    as_of = end - before_end.dt.floor(grid)
    observed = pd.DataFrame({"user_id": leads["user_id"].array.take(rows), "as_of": as_of, "lead_row": rows})
    return observed.astype({"as_of": bench.sample.observations["as_of"].dtype})


def rename(bench: Bench) -> Iterator[Difference]:
    """Give every lead a fresh id, twice: who computes with the id changes twice, who knew the old ids changes once."""
    sample = bench.sample
    worlds = [_renamed(sample.tables.leads["user_id"], sample.ids, bench.rng) for _ in range(2)]
    for now in sample.instants:
        observations = sample.at(now)
        before = bench.base[now]
        first, second = (_under_names(bench, observations, names) for names in worlds)
        for each in differences(bench, before, first, observations):
            name = each.feature
            if name in first.errors or name in second.errors:
                yield each
                continue
            differs = moved(before.columns[name], first.columns[name])
            still = moved(first.columns[name], second.columns[name])[differs]
            if still.any():  # other ids, other values: it computes with the id itself
                yield replace(each, severity="review", said="its values are computed from the text of the id")
            else:  # any fresh id, the same value: it knew the old ids
                yield each


def _under_names(bench: Bench, observations: pd.DataFrame, names: dict[str, str]) -> Values:
    sample = bench.sample
    leads = sample.tables.leads
    tables = replace(sample.tables, leads=leads.assign(user_id=_mapped(leads["user_id"], names)))
    if sample.events is not None:
        events = sample.events.assign(user_id=_mapped(sample.events["user_id"], names))
        tables = replace(tables, log=sample.with_events(events).log)
    return bench.compute(observations.assign(user_id=_mapped(observations["user_id"], names)), tables)


def _mapped(values: pd.Series, names: dict[str, str]) -> pd.Series:
    return pd.Series([names.get(value, value) for value in values], index=values.index, dtype="str")


def _renamed(ids: pd.Series, taken: frozenset[str], rng: np.random.Generator) -> dict[str, str]:
    """Return a fresh id of the same shape for each: other digits, and other letters where digits are too few."""
    fresh: dict[str, str] = {}
    used = set(taken)
    for old in ids:
        new = old
        name, at, rest = old.partition("@")  # of an address, the domain stays
        for attempt in range(200):
            new = "".join(_other_sign(sign, rng, letters=attempt > 20) for sign in name) + "x" * (attempt // 50)
            new += at + rest
            if new not in used:
                break
        used.add(new)
        fresh[old] = new
    return fresh


def _other_sign(sign: str, rng: np.random.Generator, *, letters: bool) -> str:
    if sign.isdecimal():
        return str(rng.integers(10))
    if letters and sign.isalpha() and sign.isascii():
        return chr(ord("a" if sign.islower() else "A") + int(rng.integers(26)))
    return sign
