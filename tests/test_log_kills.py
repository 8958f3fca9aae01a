"""A run killed at any point, or refused by the disk at any call, leaves what was there before as it was.

No hook for this is in leadscore: a wrapper around the real command replaces the function at whose N-th call the run
dies, or fails.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from leadscore.record import open_run, read_rows
from leadscore.record.ledger import read_ledger
from leadscore.verbs import main

TINY = ["data.n_leads=400", "report=false", "audit=off"]

# argv: target, call, what happens, then the command's own words.
WRAPPER = """
import errno, importlib, os, signal, sys

target, number, what, *words = sys.argv[1:]
module, _, name = target.partition(":")
holder = importlib.import_module(module)
*path, name = name.split(".")
for each in path:
    holder = getattr(holder, each)
real, calls = getattr(holder, name), 0


def wrapped(*arguments, **named):
    global calls
    calls += 1
    if calls == int(number) or (what.endswith("for ever") and calls > int(number)):
        if what == "kill before":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "kill inside":  # half of the bytes reach the disk
            real(arguments[0], arguments[1][: len(arguments[1]) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "kill after":
            real(*arguments, **named)
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "short write":
            return real(arguments[0], arguments[1][: len(arguments[1]) // 2])
        raise OSError(getattr(errno, what.split()[0]), os.strerror(getattr(errno, what.split()[0])))
    return real(*arguments, **named)


setattr(holder, name, wrapped)
sys.argv = ["train", *words]
from leadscore.train import main
main()
"""


def train(home, *words, at=("os:replace", "100000", "kill before")):
    line = [sys.executable, "-c", WRAPPER, *map(str, at), *TINY, *words]
    return subprocess.run(line, cwd=home, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with one finished run; each test may add to it, as killed runs do."""
    home = tmp_path_factory.mktemp("kills")
    done = train(home, "notes=the first")
    assert done.returncode == 0, done.stderr
    return home


def content(folder):
    return {path: path.read_bytes() for path in sorted(Path(folder).rglob("*")) if path.is_file()}


def untouched(before, home):
    """Whether all files are as they were; those that grow row by row may have grown."""
    for path, was in before.items():
        now = path.read_bytes()
        grows = path.suffix in (".csv", ".jsonl") and path.parent == home / "outputs"
        assert now.startswith(was) if grows else now == was, path
    return True


def new_folders(before, home):
    known = {path.parent for path in before if path.name == "identity.json"}
    return [path.parent for path in sorted(home.glob("outputs/*/*/identity.json")) if path.parent not in known]


def whole(folder):
    """Whether every file under its final name can be read to its end."""
    import pandas as pd
    import yaml

    from leadscore.model.store import read_manifest

    for path in folder.iterdir():
        if path.name.startswith("."):
            continue
        if path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix == ".yaml":
            assert yaml.safe_load(path.read_text())
        elif path.suffix == ".parquet":
            pd.read_parquet(path)
        elif path.name == "model":
            read_manifest(path)
    return True


def recovers(home, monkeypatch, capsys):
    """The next run needs no hand, and what is made anew of the folders lists every run."""
    log = home / "outputs" / "experiments.csv"
    done = train(home)
    assert done.returncode == 0, done.stderr
    latest = open_run("latest", [home / "outputs"])
    assert read_rows(log)[-1]["run_id"] == latest.run_id
    assert read_ledger(home / "outputs")[-1]["run_id"] == latest.run_id
    monkeypatch.chdir(home)
    assert main(["runs", "rebuild", "--json"]) == 0
    rebuilt = json.loads(capsys.readouterr().out)
    listed = {row["run_id"]: row["status"] for row in read_rows(log)}
    for path in home.glob("outputs/*/*/identity.json"):
        told = json.loads(path.read_text())
        status = "interrupted" if told["status"] == "running" else told["status"]
        assert listed[told["run_id"]] == status
    assert rebuilt["damaged"] == []
    assert len(listed) == rebuilt["rows"]


# (name, function, call, what): the points of a run in their order.
QUICK = [
    ("before its folder is claimed", "os:replace", 1, "kill before"),
    ("before the model is in place", "leadscore.model.store:_sync", 1, "kill before"),
    ("inside its row", "os:write", 2, "kill inside"),
]
POINTS = [
    ("its folder is claimed", "os:replace", 1, "kill after"),
    ("before its config", "leadscore.record.shelf:Shelf.text", 1, "kill before"),
    ("its config is written", "leadscore.record.shelf:Shelf.text", 1, "kill after"),
    ("the tables are loaded", "leadscore.data:prepared_tables", 1, "kill after"),
    ("the tables are checked", "leadscore.schemas:check_raw", 1, "kill after"),
    ("the folds are laid", "leadscore.split:make_folds", 1, "kill after"),
    ("its identity is whole", "os:replace", 3, "kill after"),
    ("its windows are written", "leadscore.record.shelf:Shelf.json", 3, "kill after"),
    ("the features are built", "leadscore.features:build", 1, "kill after"),
    ("the dictionary is written", "leadscore.record.write:write_features", 1, "kill after"),
    ("the model is fitted", "leadscore.pipeline:train_model", 1, "kill after"),
    ("inside its row in the ledger", "os:write", 1, "kill inside"),
    ("its row in the ledger is written", "os:write", 1, "kill after"),
    ("its predictions are written", "leadscore.record.shelf:Shelf.parquet", 1, "kill after"),
    ("before the model", "leadscore.model:save_model", 1, "kill before"),
    ("the model is in place", "leadscore.model:save_model", 1, "kill after"),
    ("before it is done", "leadscore.record.write:ended", 1, "kill before"),
    ("it is done", "leadscore.record.write:record_run", 1, "kill before"),
    ("before its row", "leadscore.record.trackers:append_row", 1, "kill before"),
    ("its row is written", "leadscore.record.trackers:append_row", 1, "kill after"),
]


@pytest.mark.parametrize(
    ("target", "call", "what"),
    [pytest.param(*point[1:], id=point[0]) for point in QUICK]
    + [pytest.param(*point[1:], id=point[0], marks=pytest.mark.slow) for point in POINTS],
)
def test_a_killed_run_leaves_the_others_as_they_were(home, target, call, what, monkeypatch, capsys):
    before = content(home)
    done = train(home, at=(target, call, what))
    assert done.returncode == -9, done.stderr  # it did get there
    assert untouched(before, home)
    assert all(whole(folder) for folder in new_folders(before, home))
    recovers(home, monkeypatch, capsys)


# The first five folders are Hydra's own, made before any of leadscore runs; their failures are told in its way.
CALLS = [
    ("os:replace", range(1, 9)),
    ("os:fsync", range(1, 13)),
    ("os:write", range(1, 3)),
    ("pathlib:Path.mkdir", range(6, 9)),
    ("os:open", range(1, 7)),
]


@pytest.mark.slow
@pytest.mark.parametrize("what", ["ENOSPC", "ENOSPC for ever"])
@pytest.mark.parametrize(("target", "call"), [(target, n) for target, calls in CALLS for n in calls])
def test_a_disk_that_refuses_costs_one_run_and_no_more(home, target, call, what, monkeypatch, capsys):
    before = content(home)
    done = train(home, at=(target, call, what))
    assert "Traceback" not in done.stderr, done.stderr
    if done.returncode:
        assert "\nleadscore: " in f"\n{done.stderr}"
    assert untouched(before, home)
    assert all(whole(folder) for folder in new_folders(before, home))
    recovers(home, monkeypatch, capsys)


@pytest.mark.parametrize("what", ["short write", pytest.param("ENOSPC", marks=pytest.mark.slow)])
def test_a_row_that_does_not_fit_on_the_disk_is_taken_back_and_said(home, what, monkeypatch, capsys):
    before = content(home)
    done = train(home, at=("os:write", 2, what))
    assert done.returncode == 1
    assert "The run itself is whole, in " in done.stderr
    assert "Traceback" not in done.stderr
    log = home / "outputs" / "experiments.csv"
    assert log.read_bytes() == before[log]
    recovers(home, monkeypatch, capsys)
