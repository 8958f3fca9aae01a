"""The benchmark of feature ways, at a tiny size, so that it cannot rot: here its ways run in this process."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from leadscore.features import FEATURES

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
Run = Callable[..., str]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """`benchmark("--only", "article")` returns what the command prints about 2,000 events."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    features, spawn = importlib.import_module("features"), importlib.import_module("feature_ways.spawn")
    process, before = importlib.import_module("feature_ways.process"), dict(FEATURES)

    def run_here(_: Any, job: Any) -> Any:
        if job.way in spawn.WAYS and spawn.WAYS[job.way].needs is not None:
            return {"failed": "not here"}
        try:
            return process.measure(job)
        finally:
            FEATURES.clear()
            FEATURES.update(before)

    monkeypatch.setattr(spawn.Place, "_run", run_here)

    def run(*arguments: str) -> str:
        features.main(["--events", "2e3", "--rounds", "1", "--folder", str(tmp_path), *arguments])
        return capsys.readouterr().out

    yield run
    for name in [name for name in sys.modules if name == "features" or name.startswith("feature_ways")]:
        del sys.modules[name]


def _row(said: str, label: str) -> list[str]:
    (line,) = [line for line in said.splitlines() if line.startswith(label.ljust(38))]
    return [cell.strip() for cell in line.split("|")]


def test_the_ways_of_this_python_agree_with_declared_aggregates_and_are_timed(benchmark: Run) -> None:
    said = benchmark("--only", "article,loop,plain,bare,cold,prepared,again,duckdb")
    assert said.startswith("2,000 events, 100 leads")
    assert "WRONG" not in said
    for label in (
        "pandas, filter + groupby a feature",
        "leadscore, functions",
        "the same functions, on the same rows",
        "leadscore, declared, from Parquet",
        "leadscore, declared, prepared log",
        "leadscore, declared, unchanged",
    ):
        _, snapshots, own = _row(said, label)
        assert float(snapshots.split()[0]) > 0
        assert float(own.split()[0]) > 0
    assert _row(said, "pandas, a loop over leads")[1].startswith("~")
    assert _row(said, "duckdb, SQL with bitsets")[1] == "not here"
    assert "an unchanged run's time for features / the first's" in said


def test_a_way_that_forgets_the_upper_bound_is_called_wrong_and_not_timed(
    benchmark: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    article = importlib.import_module("feature_ways.article")
    cut = article._cut

    def without_bound(events: pd.DataFrame, now: Any, declared: dict[str, Any]) -> pd.DataFrame:
        return events if "lookback" not in declared else cut(events, now, declared)

    monkeypatch.setattr(article, "_cut", without_bound)
    said = benchmark("--only", "article")
    assert _row(said, "pandas, filter + groupby a feature")[1].startswith("WRONG: days_since_login differs in")


def test_a_sum_that_differs_on_a_long_log_is_told(benchmark: Run) -> None:
    compare = importlib.import_module("feature_ways.compare")
    right = {"rows": 2, "sums": {name: [3.0, 1] for name in compare.COLUMNS}}
    assert compare.differing_sums(right, right) is None
    assert compare.differing_sums({**right, "rows": 1}, right) == "1 rows, not 2"
    off = {"rows": 2, "sums": {**right["sums"], "mean_gap": [3.0 + 1e-7, 1]}}
    assert compare.differing_sums(off, right) == "mean_gap adds up to 3.0000001, not 3.0"
    missing = {"rows": 2, "sums": {**right["sums"], "paid_30d": [3.0, 0]}}
    assert compare.differing_sums(missing, right) == "paid_30d is missing 0 times, not 1"


def test_scaling_and_the_audit_run(benchmark: Run) -> None:
    said = benchmark("--scaling")
    assert [line.split()[:3] for line in said.splitlines()[3:]] == [
        ["2,000", *case]
        for case in [
            ["30d", "10"],
            *([lookback, "10"] for lookback in ("7d", "30d", "90d", "240d")),
            *(["30d", number] for number in ("1", "5", "10", "20")),
        ]
    ]
    assert benchmark("--audit").startswith("full audit of 20 features on 2,000 events: ")


def test_a_process_of_its_own_says_what_it_measured_or_why_it_could_not(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spawn = importlib.import_module("feature_ways.spawn")
    place = spawn.Place(tmp_path)
    said = place.run(place.job("article", 2_000, "own"))
    assert said["rows"] == 100
    assert said["seconds"]["compute"] > 0
    assert said["peak"] > 0.01
    assert spawn.Place(tmp_path, patience=0.01).run(place.job("article", 2_000)) == {"failed": "more than 0.01 s"}
    assert place.run(place.job("polars", 2_000)) == {"failed": "not installed"}
    assert "no_such_way" in place.run(place.job("no_such_way", 2_000))["failed"]
    for name in [name for name in sys.modules if name.startswith("feature_ways")]:
        del sys.modules[name]


def test_the_log_is_measured_against_plain_appends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    log = importlib.import_module("log")
    try:
        log.main(["--rounds", "1", "--writers", "2", "--rows", "3", "--long", "30"])
    finally:
        del sys.modules["log"]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 processes x 3 rows of 20,000 bytes"
    assert [line.split(" median")[0].strip() for line in lines[1:6]] == [
        *log.WAYS,
        "append_row / plain, waiting for the disk",
        "append_row / plain",
    ]
    assert lines[6].startswith("a log of 30 rows")
    assert all("goal 2" in line for line in lines[8:])


def test_a_search_is_measured_against_bare_fits_that_score_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    search = importlib.import_module("search")
    try:
        search.main(500, 2, 1)
    finally:
        del sys.modules["search"]
    said = capsys.readouterr().out.splitlines()
    assert float(said[1].split()[3]) < 1e-12
    assert said[-1].startswith("ratio")
