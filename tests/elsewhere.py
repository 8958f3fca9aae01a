"""Functions that the tests of clusters call there; their workers import this module."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import pandas as pd

from leadscore.errors import FeatureError


def n_events(events: pd.DataFrame, now: Any) -> pd.Series:
    return events.groupby("user_id").size()


def mean_amount(events: pd.DataFrame, now: Any, *, least: float = 0.0) -> pd.Series:
    return events[events["amount"] >= least].groupby("user_id")["amount"].mean()


def hours_since(events: pd.DataFrame, now: Any) -> pd.Series:
    return (now - events.groupby("user_id")["timestamp"].max()).dt.total_seconds() / 3600


def on_mondays(events: pd.DataFrame, now: Any) -> pd.Series:
    return events[events["timestamp"].dt.day_of_week == now.day_of_week].groupby("user_id").size()


def in_month(events: pd.DataFrame, now: Any) -> pd.Series:
    return events[events["timestamp"].dt.month == now.month].groupby("user_id").size()


def rank_among_leads(events: pd.DataFrame, now: Any) -> pd.Series:
    return events.groupby("user_id").size().rank()


def usual_type(events: pd.DataFrame, now: Any) -> pd.Series:
    return events.groupby("user_id")["event_type"].agg(lambda types: types.astype("str").max())


def share_of(events: pd.DataFrame, now: Any, *, n_events: pd.Series) -> pd.Series:
    return mean_amount(events, now) / n_events


def id_length(leads: pd.DataFrame) -> pd.Series:
    return leads.set_index("user_id").index.to_series().str.len()


def breaks(events: pd.DataFrame, now: Any) -> pd.Series:
    raise FeatureError("broken on purpose")


def slowly(unit: tuple[int, str]) -> tuple[int, int]:
    """Wait until a file is there, so that a test has time to kill; return the unit and who did it."""
    number, file = unit
    while not Path(file).exists():
        time.sleep(0.01)
    return number, os.getpid()


def dies(unit: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)
