"""Nouns that many stories share."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from leadscore.eventlog import EventLog
from leadscore.tables import Tables

if TYPE_CHECKING:
    from scoring_world import Today

ROOT = Path(__file__).resolve().parents[1]


def utc(*texts: str | None) -> pd.Series:
    """Instants as a column: utc("2024-03-01", None)."""
    return pd.to_datetime(pd.Series(texts, dtype="str"), utc=True, format="ISO8601").astype("datetime64[us, UTC]")


def lead_table(created: dict[str, str], **columns: list[object]) -> pd.DataFrame:
    """A lead table: lead_table({"a": "2024-03-01"}, country=["DE"])."""
    frame = pd.DataFrame({"user_id": pd.Series(list(created), dtype="str"), "created_at": utc(*created.values())})
    for name, values in columns.items():
        frame[name] = utc(*values) if name.endswith("_at") or name == "as_of" else values  # type: ignore[arg-type]
    return frame


def event_table(*rows: tuple[str, str, str], **columns: list[object]) -> pd.DataFrame:
    """An event log: event_table(("a", "2024-03-02", "login"), ...), sorted as the edge sorts it."""
    user_ids, times, types = zip(*rows, strict=True) if rows else ((), (), ())
    frame = pd.DataFrame(
        {
            "user_id": pd.Series(user_ids, dtype="str"),
            "timestamp": utc(*times),
            "event_type": pd.Series(types, dtype="str"),
        }
    )
    for name, values in columns.items():
        frame[name] = utc(*values) if name.endswith("_at") else values  # type: ignore[arg-type]
    return frame.sort_values(["user_id", "timestamp"], kind="stable", ignore_index=True)


def tables(
    leads: pd.DataFrame, events: pd.DataFrame | None = None, end: str = "2025-01-01", **attributes: str
) -> Tables:
    log = None if events is None else EventLog.from_frame(events)
    return Tables(leads, log, pd.Timestamp(end, tz="UTC"), attributes)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The cache of these tests, for the processes they start too: no test reads or fills a user's own."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


REPORTED = ["data.n_leads=800", "metrics.capacity=20", "metrics.slices=[country]", "metrics.resamples=200"]


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with a report, not to be changed."""
    from leadscore import compose, run

    folder = tmp_path_factory.mktemp("reported") / "one"
    run(compose([*REPORTED, f"tracking.root={folder.parent}"]), folder)
    return folder


@pytest.fixture(scope="session")
def three_runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a base run, one with sessions, and one that asks about another horizon, not to be changed."""
    from leadscore import compose, run

    root = tmp_path_factory.mktemp("three")
    small = ["data.n_leads=1200", "report=false", "audit=off", f"tracking.root={root}"]
    for name, override in {
        "base": "features=base",
        "sessions": "features=+sessions",
        "quick": "window.horizon=14d",
    }.items():
        run(compose([*small, override]), root / name)
    return root


@pytest.fixture(scope="session")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run whose leads, columns and notes are hostile texts, not to be changed."""
    from hostile import hostile_run

    return hostile_run(tmp_path_factory.mktemp("hostile"))


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """Where real public data lie; a test that needs them is skipped by name where they are absent."""

    def folder(name: str) -> Path:
        root = Path(os.environ.get("LEADSCORE_SHARED_DATA", ROOT.parent / "shared" / "data"))
        if not (root / name).is_dir():
            pytest.skip(f"real data '{name}' are not here (LEADSCORE_SHARED_DATA names their folder)")
        return root / name

    return folder


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a company's exports and two runs trained on them, `delay` and `weekly`."""
    import scoring_world

    root = tmp_path_factory.mktemp("world")
    scoring_world.build(root)
    return root


@pytest.fixture
def today(world: Path, tmp_path: Path) -> "Today":
    """Today's exports, to be edited: leads and events as frames, and how to score them."""
    from scoring_world import Today

    return Today(world, tmp_path)


@pytest.fixture
def command(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The real command line, in an empty folder."""

    def run(*arguments: str, module: str = "leadscore.train", cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        line = [sys.executable, "-m", module, *arguments]
        return subprocess.run(line, cwd=cwd, capture_output=True, text=True, check=False, timeout=300)

    return run
