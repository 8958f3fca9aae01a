"""Some declared aggregates with one lookback, from the prepared log."""

import time
from dataclasses import replace
from typing import Any

from feature_ways import TYPES
from feature_ways.ours import load_compiler, observed, open_tables, store_of
from feature_ways.process import Job, Watch
from leadscore.features import build, make_plan

__all__ = ["run"]

OF: list[dict[str, Any]] = [
    {"aggregate": "count"},
    {"aggregate": "days_since_last", "event_type": "login"},
    {"aggregate": "distinct", "column": "event_type"},
    {"aggregate": "active_days"},
    {"aggregate": "sum", "column": "amount"},
    {"aggregate": "mean_gap"},
    {"aggregate": "share", "of": {"when": "weekend"}},
    {"aggregate": "max", "column": "amount"},
    {"aggregate": "sum", "column": "amount", "event_type": "invoice"},
    {"aggregate": "days_since_first"},
    *({"aggregate": "count", "event_type": kind} for kind in TYPES),
    {"aggregate": "min", "column": "amount"},
    {"aggregate": "std", "column": "amount"},
]


def run(job: Job, watch: Watch) -> None:
    """Build the features, and once more: the second time, the compiled code has been loaded."""
    load_compiler()
    some = OF[: job.options["n_features"]]
    specs = {f"f{number}": {**spec, "lookback": job.options["lookback"]} for number, spec in enumerate(some)}
    plan = make_plan(specs, {}, {})
    with watch("read"):
        tables = open_tables(job, store_of(job.store))
    asked = observed(tables, job.scenario)
    with watch("compute"):
        build(tables, asked, plan, workers=2)
    started = time.perf_counter()
    build(replace(tables), asked, plan, workers=2)  # a copy that has looked nothing up yet
    watch.said["warm"] = time.perf_counter() - started
