"""Public data with real traps: mixed offsets over a clock change, no ids, no dates, sentinels."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from conftest import ROOT
from omegaconf import OmegaConf

from leadscore.config.schema import DelayWindow, FilesData, GivenWindow
from leadscore.data import load_tables
from leadscore.schemas import check_raw
from leadscore.window import observe

Folder = Callable[[str], Path]


def shipped(name: str, folder: Path) -> FilesData:
    """The shipped data config, on the files in `folder`."""
    tree = OmegaConf.load(ROOT / "conf" / "data" / f"{name}.yaml")
    del tree["defaults"]
    tree["dir"] = str(folder)
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(FilesData), tree))
    assert isinstance(config, FilesData)
    return config


def test_the_loan_applications(shared_data: Folder) -> None:
    config = shipped("bpic2012", shared_data("bpic2012"))
    tables = load_tables(config)
    check_raw(tables, config)
    leads, events = tables.leads, tables.events

    assert (len(leads), len(events)) == (13_087, 262_200)
    assert leads["status"].value_counts().to_dict() == {
        "activated": 2246,
        "cancelled": 2807,
        "declined": 7635,
        "open": 399,
    }
    converted = leads.set_index("user_id")["converted_at"].reindex(events["user_id"]).reset_index(drop=True)
    assert (events["timestamp"] > converted).sum() == 2_352
    assert events["resource"].isna().mean() == pytest.approx(0.069, abs=0.0005)

    # 2011-10-01T00:38:44.546+02:00, in summer time, and 2012-03-14T16:04:54.681+01:00, in winter time
    assert leads["created_at"].min() == pd.Timestamp("2011-09-30T22:38:44.546Z")
    assert events["timestamp"].max() == pd.Timestamp("2012-03-14T15:04:54.681Z")
    assert tables.data_end == pd.Timestamp("2012-03-14T15:04:54.681001Z")

    seen = observe(tables, DelayWindow(delay="7d", horizon="23d"), config.statuses, {})
    created = seen.frame["as_of"] - pd.Timedelta(days=7)
    train = seen.frame[created < pd.Timestamp("2011-12-01", tz="UTC")]
    assert (len(train), round(train["label"].mean(), 3)) == (2_126, 0.389)


def test_the_calls_of_a_bank(shared_data: Folder) -> None:
    config = shipped("bank_marketing", shared_data("bank_marketing"))
    tables = load_tables(config)
    check_raw(tables, config)
    leads = tables.leads

    assert tables.events is None
    assert len(leads) == 41_188
    assert leads.drop(columns=["user_id", "created_at", "as_of"]).duplicated().sum() >= 12  # equal calls stay calls
    assert leads["pdays"].isna().mean() == pytest.approx(0.963, abs=0.0005)
    assert "duration" not in leads
    assert len(tables.attributes) == 19
    assert leads["created_at"].iloc[[0, -1]].dt.strftime("%Y-%m-%d").tolist() == ["2008-05-01", "2010-11-30"]

    seen = observe(tables, GivenWindow(horizon="0d"), config.statuses, {})
    assert seen.counts["observations"] == 41_188
    assert seen.frame["label"].sum() == 4_640
