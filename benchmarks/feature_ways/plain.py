"""The functions of `functions` registered as features, called by the engine; or bare, on the rows it hands over."""

import sys
from types import CodeType, FrameType
from typing import Any

import pandas as pd

from feature_ways.functions import DECLARED
from feature_ways.ours import as_frame, load_compiler, observed, open_tables, store_of
from feature_ways.process import Job, Watch
from leadscore.features import FeatureTable, Plan, build, feature, make_plan
from leadscore.features.calls import call_functions
from leadscore.tables import Tables

__all__ = ["registered", "run"]


def registered() -> dict[str, Any]:
    """Register the functions and return them as a feature set."""
    for function, declared in DECLARED:
        feature(**declared)(function)
    return {function.__name__: {} for function, _ in DECLARED}


def run(job: Job, watch: Watch) -> pd.DataFrame:
    """Open the prepared log and compute the features."""
    load_compiler()
    plan = make_plan(registered(), {}, {})
    with watch("read"):
        tables = open_tables(job, store_of(job.store))
    asked = observed(tables, job.scenario)
    if job.way == "bare":
        table, handed = _overheard(tables, asked, plan)
        with watch("compute"):
            for function, rows, now in handed:
                function(rows, now)
    else:
        with watch("compute"):
            table = build(tables, asked, plan, workers=2 if job.way == "plain2" else 1)
    watch.said["bodies"] = table.seconds
    return as_frame(table)


def _overheard(tables: Tables, asked: pd.DataFrame, plan: Plan) -> tuple[FeatureTable, list[tuple[Any, Any, Any]]]:
    """Build, and note what each function is called with; not by wrapping them, for the engine reads their source."""
    functions = {function.__code__: function for function, _ in DECLARED if not function.__name__.startswith("n_")}
    ((counted, _), *_) = [pair for pair in DECLARED if pair[0].__name__.startswith("n_")]
    functions[counted.__code__] = counted  # the eight counts are one function
    handed: list[tuple[Any, Any, Any]] = []

    def listen(frame: FrameType, _event: str, _: Any) -> None:  # told of calls alone, as it returns nothing
        if frame.f_code in functions and _is_within(frame, call_functions.__code__):
            rows = frame.f_locals["rows"].copy(deep=False)
            handed.append((functions[frame.f_code], rows, frame.f_locals["now"]))

    sys.settrace(listen)
    try:
        return build(tables, asked, plan), handed
    finally:
        sys.settrace(None)


def _is_within(frame: FrameType | None, code: CodeType) -> bool:
    while frame is not None and frame.f_code is not code:
        frame = frame.f_back
    return frame is not None  # else the engine only tries the function on a few leads
