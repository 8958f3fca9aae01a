"""Declared aggregates computed elsewhere: some leads' events and observations at a time, by the same walk."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from leadscore.eventlog import EventLog
from leadscore.features.aggregates import Aggregate
from leadscore.features.compiled import compute_aggregates, zone_of_lead
from leadscore.features.kinds import evaluate
from leadscore.features.local import LEAD
from leadscore.features.observed import Observed
from leadscore.features.tally import once_each
from leadscore.pools import Pool
from leadscore.tables import Tables

__all__ = ["share_aggregates"]

Array = np.ndarray[Any, Any]
SHARE_ROWS = 1_000_000  # events and observations of a share together, at most
LEAST_SHARES = 4  # for each worker: the last ones to finish have little left


@dataclass(frozen=True)
class _Share:
    """Neighbouring leads, and the observations of them."""

    specs: Mapping[str, Aggregate]
    log: EventLog
    as_of: Array
    lead: Array
    positions: Array  # in the model table
    zones: Mapping[str, Array]
    without: Mapping[str, Any]
    dtypes: Mapping[str, Any]


def share_aggregates(
    specs: Mapping[str, Aggregate],
    observed: Observed,
    columns: Mapping[str, Array],
    without: Mapping[str, Any],
    pool: Pool,
) -> dict[str, float]:
    """Do what `compute_aggregates` does, in a pool's processes.

    Raises
    ------
    ComputeError
        When an observation gets no value, or two.
    """
    for name in specs:
        columns[name][observed.lead < 0] = without[name]
    total = dict.fromkeys(specs, 0.0)
    dtypes = {name: columns[name].dtype for name in specs}
    shares = _shares(specs, observed, without, dtypes, pool.n_workers)
    asked = np.flatnonzero(observed.lead >= 0)
    for positions, values, seconds in once_each(pool.map(_compute, shares), lambda done: done[0], observed, asked):
        for name in specs:
            columns[name][positions] = values[name]
            total[name] += seconds[name]
    return total


def _shares(
    specs: Mapping[str, Aggregate],
    observed: Observed,
    without: Mapping[str, Any],
    dtypes: Mapping[str, Any],
    n_workers: int,
) -> Iterator[_Share]:
    named = {each.zone for spec in specs.values() for each in spec.filters if each.when is not None}
    of_leads = [zone.removeprefix(LEAD) for zone in sorted(named) if zone.startswith(LEAD)]
    zones = {column: zone_of_lead(observed, column) for column in of_leads}
    log = observed.log
    size = min(SHARE_ROWS, -(-(len(log) + len(observed)) // (LEAST_SHARES * max(1, n_workers))))
    for part in log.parts:
        asked = observed.asked(part)
        weight = part.offsets + (asked - asked[0])
        first = 0
        while first < part.n_leads:
            last = max(first + 1, int(np.searchsorted(weight, weight[first] + size, side="right")) - 1)
            if asked[last] > asked[first]:
                positions = observed.order[asked[first] : asked[last]]
                begin, end = part.first_lead + first, part.first_lead + last
                yield _Share(
                    specs,
                    log.piece(part, first, last),
                    observed.as_of[positions],
                    observed.lead[positions] - begin,
                    positions,
                    {column: values[begin:end] for column, values in zones.items()},
                    without,
                    dtypes,
                )
            first = last


def _compute(share: _Share) -> tuple[Array, dict[str, Array], dict[str, float]]:
    tables = Tables(None, share.log, None)
    observed = Observed(tables, share.as_of, np.zeros_like(share.lead), share.lead)
    columns = {name: np.empty(len(observed), dtype=share.dtypes[name]) for name in share.specs}
    seconds = compute_aggregates(
        share.specs, evaluate, observed, columns, share.without, zones=lambda column: share.zones[column]
    )
    return share.positions, columns, seconds
