"""The copy with the real package: offline, read back from its own file; and against a stand-in server that fails."""

import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from run_folders import IDENTITY, SECRET, finished, told
from wandb_server import refusing, serving

from leadscore.config.schema import WandbTracking
from leadscore.record import read_rows
from leadscore.record.mirror import copy_to_wandb, mirror
from leadscore.verbs import main

pytest.importorskip("wandb", reason="the extra wandb is not installed")

BLOCK = 32_768


@pytest.fixture(autouse=True)
def key(tmp_path, monkeypatch):
    """A key, and nothing else of a user's."""
    for name in list(os.environ):
        if name.startswith("WANDB_"):
            monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WANDB_API_KEY", SECRET)


def records(folder: Path) -> list:
    """Return what an offline run logged: LevelDB's log format, a protobuf message a record."""
    from wandb.proto import wandb_internal_pb2

    (path,) = (folder / "wandb").glob("offline-run-*/run-*.wandb")
    content, at, parts, found = path.read_bytes(), 7, [], []
    while at + 7 <= len(content):
        if BLOCK - at % BLOCK < 7:  # too short for a head: zeros up to the next block
            at += BLOCK - at % BLOCK
            continue
        _, size, kind = struct.unpack("<IHB", content[at : at + 7])
        parts.append(content[at + 7 : at + 7 + size])
        at += 7 + size
        if kind in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(b"".join(parts))
            found.append(record)
            parts = []
    return found


def of_kind(folder: Path, kind: str) -> list:
    return [getattr(each, kind) for each in records(folder) if each.WhichOneof("record_type") == kind]


def values(items) -> dict:
    return {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in items}


# --- offline ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """A run of a sweep, copied offline."""
    folder = finished(tmp_path_factory.mktemp("multirun") / "05-28-39-abcd" / "0")
    (folder / ".hydra").mkdir()
    (folder / ".hydra" / "hydra.yaml").write_text("hydra:\n  mode: MULTIRUN\n")
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        patch.setenv("WANDB_API_KEY", SECRET)
        patch.setenv("WANDB_RUN_ID", "somebody-elses")
        done = mirror(folder, WandbTracking(mode="offline", tags=["first", "try"], predictions=True, root=str(home)))
    return folder, home, done


def test_an_offline_copy_waits_in_the_runs_folder_and_nowhere_else(offline):
    folder, home, done = offline
    assert (done.synced, done.reason, done.failed) == (False, "offline", False)
    assert sorted(path.name for path in home.iterdir()) == ["ids.key"]
    assert told(folder)["mode"] == "offline"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_what_names_the_run_is_logged(offline):
    (run,) = of_kind(offline[0], "run")
    assert (run.run_id, run.project, run.display_name) == ("20240501T000000-aaaaaaaa", "leadscore", "c0ffee11")
    assert (run.run_group, run.job_type, list(run.tags)) == ("05-28-39-abcd", "train", ["first", "try"])
    assert run.notes == "why"
    assert run.host == ""  # nor anything else of the machine
    config = values(run.config.update)
    assert config["data"] == {"name": "crm 2"}
    assert config["features"] == {"logins": "{}", "sums": {"days": 7}}
    assert config["identity"]["identity"] == IDENTITY
    assert config["identity"]["parts"] == {"model": "e" * 64}


def test_metrics_checks_and_curves_are_logged_once(offline):
    (history,) = of_kind(offline[0], "history")
    row = values(history.item)
    assert (row["auc"], row["auc_low"], row["auc_high"], row["recency/auc"]) == (0.7, 0.6, 0.8, 0.5)
    assert (row["checks/problems"], row["checks/nrows"], row["metrics/nrows"]) == (1, 1, 4)
    rows = {name: row[f"curves/{name}_table/nrows"] for name in ("roc", "precision_recall", "gains", "calibration")}
    assert rows.pop("calibration") == 10
    assert all(100 < points <= 200 for points in rows.values())
    summary = {}
    for each in of_kind(offline[0], "summary"):
        summary |= values(each.update)
    assert summary["identity"] == IDENTITY


def test_model_features_and_report_are_artifacts(offline):
    artifacts = {each.name: each for each in logged(offline[0])}
    model = artifacts["crm-2-model"]
    assert (model.type, sorted(model.aliases)) == ("model", ["c0ffee11", "latest"])
    assert sorted(file.path for file in model.manifest.contents) == ["manifest.json", "weights.json"]
    assert json.loads(model.metadata)["identity"] == IDENTITY
    assert [file.path for file in artifacts["crm-2-features"].manifest.contents] == ["features.md"]
    assert [file.path for file in artifacts["crm-2-report"].manifest.contents] == ["report.html"]


def logged(folder: Path) -> list:
    """Return the artifacts, in whichever of its two records wandb keeps them."""
    found = of_kind(folder, "artifact")
    return found + [each.log_artifact.artifact for each in of_kind(folder, "request") if each.HasField("log_artifact")]


def test_a_predictions_table_has_hashed_ids(offline):
    (table,) = offline[0].glob("wandb/offline-run-*/files/media/table/predictions_*.json")
    rows = json.loads(table.read_text())["data"]
    assert len(rows) == 300
    assert len(rows[0][0]) == 32
    leaked = [path for path in offline[0].glob("wandb/**/*") if path.is_file() and b"example.com" in path.read_bytes()]
    assert leaked == []


# --- online -----------------------------------------------------------------------------------------------


def test_a_copy_is_whole_and_a_second_one_doubles_nothing(tmp_path, monkeypatch, capsys):
    folder = finished(tmp_path / "runs" / "one")
    with serving("works") as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        assert mirror(folder, WandbTracking(mode="offline")).reason == "offline"
        assert main(["runs", "sync", "--root", str(tmp_path / "runs"), "--json"]) == 0
        (said,) = json.loads(capsys.readouterr().out)
        assert (said["synced"], said["reason"]) == (True, None)
        assert said["url"] == told(folder)["url"] == f"{server.url}/team/leadscore/runs/20240501T000000-aaaaaaaa"
        artifacts = dict(server.artifacts)
        (run,) = server.runs.values()
        assert (run["name"], run["job_type"], len(run["history"])) == ("c0ffee11", "train", 1)
        assert run["summary"]["auc"] == 0.7
        assert main(["runs", "sync", "--root", str(tmp_path / "runs")]) == 0
        assert "nothing to copy" in capsys.readouterr().out
        (folder / "mirrors.json").unlink()  # killed just before it could say so
        assert main(["runs", "sync", "--root", str(tmp_path / "runs")]) == 0
        assert "1 of 1 copied" in capsys.readouterr().out
        assert len(server.runs) == 1
        assert len(run["history"]) == 1
        named = [each["name"] for each in server.artifacts.values()]
        assert server.artifacts.keys() == artifacts.keys()
        assert sorted(name for name in named if name.startswith("crm")) == [
            "crm-2-features",
            "crm-2-model",
            "crm-2-report",
        ]
        assert not [body for body in server.bodies if b"example.com" in body]
    assert list((tmp_path / "home").iterdir()) == []


@pytest.mark.parametrize(
    ("way", "said"),
    [
        pytest.param("answers 500", "HTTP 500", marks=pytest.mark.slow),
        ("hangs", "deadline exceeded|no answer within 6s"),  # whichever clock a busy machine lets ring first
        ("goes away", "no answer within 6s"),
        pytest.param("drops metrics", "does not show its metrics", marks=pytest.mark.slow),
        ("takes no files", "have failed, giving up"),
    ],
)
def test_a_server_that_fails_costs_one_warning_and_a_bounded_wait(tmp_path, monkeypatch, caplog, way, said):
    folder = finished(tmp_path / "run")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with serving(way) as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        start = time.monotonic()
        seconds = 6 if way in ("hangs", "goes away") else 30  # the others answer, on a busy machine late
        copy_to_wandb(folder, WandbTracking(timeout=f"{seconds}s"))
        assert time.monotonic() - start < seconds + 6
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert re.search(said, warning)
    assert told(folder)["synced"] is False
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert {path.name for path in after.keys() - before.keys()} == {"mirrors.json"}
    assert {path: after[path] for path in before} == before


@pytest.mark.slow
def test_an_address_where_nobody_listens(tmp_path, monkeypatch):
    folder = finished(tmp_path / "run")
    monkeypatch.setenv("WANDB_BASE_URL", refusing())
    done = mirror(folder, WandbTracking(timeout="30s"))
    assert not done.synced
    assert "connection refused" in done.reason


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux tells which process is whose")
def test_a_killed_service_is_a_reason_like_others(tmp_path, monkeypatch):
    folder = finished(tmp_path / "run")
    killed = []

    def kill(url: str) -> None:
        until = time.monotonic() + 20
        while not killed and time.monotonic() < until:
            for path in Path("/proc").glob("[0-9]*"):
                try:
                    ours = f"WANDB_BASE_URL={url}".encode() in (path / "environ").read_bytes().split(b"\0")
                    if ours and b"wandb-core" in (path / "cmdline").read_bytes() and server.runs:
                        os.kill(int(path.name), signal.SIGKILL)
                        killed.append(path.name)
                except OSError:
                    continue
            time.sleep(0.05)

    with serving("goes away") as server:
        monkeypatch.setenv("WANDB_BASE_URL", server.url)
        killer = threading.Thread(target=kill, args=(server.url,))
        killer.start()
        done = mirror(folder, WandbTracking(timeout="10s"))
        killer.join()
    assert killed
    assert not done.synced
    assert told(folder)["reason"] == done.reason


def test_no_key_is_no_prompt_at_a_terminal_either(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY")
    monkeypatch.setenv("WANDB_BASE_URL", refusing())
    folder = finished(tmp_path / "run")
    code = "import logging; from pathlib import Path; from leadscore.config.schema import WandbTracking\n"
    code += "from leadscore.record.mirror import copy_to_wandb; logging.basicConfig()\n"
    code += f"copy_to_wandb(Path({str(folder)!r}), WandbTracking())"
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(
            [sys.executable, "-c", code], stdin=theirs, stdout=theirs, stderr=theirs, timeout=40, check=False
        )
        shown = os.read(ours, 100_000).decode()
    finally:
        os.close(ours)
        os.close(theirs)
    assert done.returncode == 0
    assert "Enter your choice" not in shown
    assert shown.count("WARNING") == 1
    assert "No API key configured" in told(folder)["reason"]
    assert "WANDB_API_KEY" in told(folder)["reason"]


# --- a sweep from the command line ------------------------------------------------------------------------


@pytest.mark.slow
def test_a_sweep_offline_end_to_end(command, tmp_path):
    small = ["data.n_leads=400", "model=baseline", "audit=off", "report=false"]
    done = command("-m", "seed=0,1", "tracking=wandb", "tracking.mode=offline", *small)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    folders = sorted(path.parent for path in tmp_path.glob("multirun/*/*/*/identity.json"))
    assert len(folders) == len(read_rows(tmp_path / "outputs" / "experiments.csv")) == 2
    runs = [of_kind(folder, "run")[0] for folder in folders]
    assert {run.run_group for run in runs} == {folders[0].parent.name}
    assert {told(folder)["reason"] for folder in folders} == {"offline"}
    config = values(runs[0].config.update)
    assert config["tracking"]["name"] == "wandb"
    assert set(config["features"]) >= {"events_last_7_days", "attributes"}
    assert len(config["identity"]["data_hash"]) == 64
