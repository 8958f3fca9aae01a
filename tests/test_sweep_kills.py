"""Sweeps of real processes that are killed, stopped, or refused by the disk: slow, for each is a command of its own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from leadscore.data import load_tables
from leadscore.pipeline import compose
from leadscore.record import read_rows

pytestmark = pytest.mark.slow
SMALL = ["data.n_leads=400", "audit=off", "report=false"]


def start(home: Path, *words: str, **settings: Any) -> "subprocess.Popen[str]":
    line = [sys.executable, "-m", "leadscore.train", "-m", *SMALL, *words]
    return subprocess.Popen(line, cwd=home, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **settings)


def run(home: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", *words]
    return subprocess.run(line, cwd=home, capture_output=True, text=True, check=False, timeout=250)


def resume(home: Path) -> "subprocess.CompletedProcess[str]":
    (folder,) = home.glob("multirun/*/*")
    return run(home, "leadscore", "resume", str(folder))


def until(holds: Callable[[], Any], seconds: float = 120) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def statuses(home: Path) -> list[str]:
    return [row["status"] for row in read_rows(home / "outputs" / "experiments.csv")]


def processes_in(home: Path) -> list[int]:
    """Workers have the home as their directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if (path / "cwd").resolve() == home.resolve():
                found.append(int(path.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize("launcher", ["sequential", "parallel"])
def test_a_killed_command_ends_its_processes_and_resume_does_the_rest(tmp_path, launcher):
    sweep = start(tmp_path, "model=baseline", "seed=range(6)", f"hydra/launcher={launcher}")
    until(lambda: statuses(tmp_path).count("done") >= 2)
    sweep.kill()
    sweep.communicate()
    until(lambda: not processes_in(tmp_path), 20)
    before = read_rows(tmp_path / "outputs" / "experiments.csv")
    assert 2 <= len(before) < 6
    done = resume(tmp_path)
    assert done.returncode == 0, done.stderr
    rows = read_rows(tmp_path / "outputs" / "experiments.csv")
    assert rows[: len(before)] == before
    assert [row["status"] for row in rows].count("done") == 6
    assert len({row["identity"] for row in rows if row["status"] == "done"}) == 6
    assert "known" in done.stdout
    again = resume(tmp_path)
    assert "6 jobs: 6 known" in again.stdout
    assert len(read_rows(tmp_path / "outputs" / "experiments.csv")) == len(rows)


def test_a_killed_process_costs_one_job_and_its_row_says_so(tmp_path):
    sweep = start(tmp_path, "model=baseline", "data.n_leads=40000,300,350")
    folder = until(lambda: next(tmp_path.glob("multirun/*/*/0/identity.json"), None)).parent
    (worker,) = [pid for pid in processes_in(tmp_path) if pid != sweep.pid]
    os.kill(worker, signal.SIGKILL)
    out, err = sweep.communicate(timeout=120)
    assert sweep.returncode == 1
    assert "job 0 interrupted: its process was killed by SIGKILL: out of memory, or kill -9" in err
    assert "3 jobs: 2 done, 1 interrupted" in out
    assert sorted(statuses(tmp_path)) == ["done", "done", "interrupted"]
    assert json.loads((folder / "identity.json").read_text())["status"] == "interrupted"


def test_ctrl_c_reaches_the_command_and_not_its_processes(tmp_path):
    sweep = start(tmp_path, "model=baseline", "data.n_leads=8000,300", start_new_session=True)
    until(lambda: next(tmp_path.glob("multirun/*/*/0/data.json"), None))
    os.killpg(sweep.pid, signal.SIGINT)  # as a terminal does it: to all of the group
    out, err = sweep.communicate(timeout=120)
    assert sweep.returncode == 130, err
    assert "finishing 1 running; Ctrl-C again stops now" in err
    assert "stopped by Ctrl-C" in err
    assert "Traceback" not in err
    assert "2 jobs: 1 done, 1 not started" in out
    assert "to go on: leadscore resume multirun/" in out
    assert statuses(tmp_path) == ["done"]
    assert resume(tmp_path).returncode == 0
    assert statuses(tmp_path) == ["done", "done"]


def test_jobs_that_meet_a_full_disk_fail_and_the_others_stay(tmp_path):
    """A limit on the length of a file stands for the disk: no test may fill one."""
    (tmp_path / "conf" / "features").mkdir(parents=True)
    (tmp_path / "conf" / "features" / "loud.yaml").write_text("loud: {}\n")
    (tmp_path / "loud_features.py").write_text(
        "from leadscore.features import feature\n\n\n"
        '@feature(source="events", lookback="7d", no_events=0, unit="events")\n'
        "def loud(events_df, now):\n"
        '    """Events in the 7 days before the score is made, and much is said about it."""\n'
        "    for _ in range(8):\n"
        '        print("x" * 1_000_000)\n'
        '    return events_df.groupby("user_id").size()\n'
    )
    words = ["--config-dir", "conf", "plugins=[loud_features]", "features=base,+loud", "model=baseline"]
    line = [sys.executable, "-m", "leadscore.train", "-m", *SMALL, *words]
    limited = ["bash", "-c", 'ulimit -f 6000; exec "$@"', "-", *line]
    done = subprocess.run(limited, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 1
    assert "2 jobs: 1 done, 1 failed" in done.stdout
    assert "File too large" in done.stdout
    assert len(done.stdout + done.stderr) < 10_000
    assert sorted(statuses(tmp_path)) == ["done", "failed"]
    free = run(tmp_path, *line[2:])
    assert "2 jobs: 1 done, 1 known" in free.stdout, free.stderr
    assert len(free.stdout + free.stderr) < 10_000


def test_code_that_changed_is_said_and_its_jobs_run_again(tmp_path):
    (tmp_path / "conf" / "features").mkdir(parents=True)
    (tmp_path / "conf" / "features" / "mine.yaml").write_text("mine: {}\n")
    code = (
        "from leadscore.features import feature\n\n\n"
        '@feature(source="events", lookback="7d", no_events=0, unit="events")\n'
        "def mine(events_df, now):\n"
        '    """Events in the 7 days before the score is made."""\n'
        '    return events_df.groupby("user_id").size()\n'
    )
    (tmp_path / "mine_features.py").write_text(code)
    words = ["--config-dir", "conf", "plugins=[mine_features]", "features=base,+mine", "model=baseline"]
    first = run(tmp_path, "leadscore.train", "-m", *SMALL, *words)
    assert first.returncode == 0, first.stderr
    (folder,) = tmp_path.glob("multirun/*/*")
    refused = resume(tmp_path)
    assert refused.returncode == 1
    assert "add --plugin mine_features --config-dir conf" in refused.stderr
    (tmp_path / "mine_features.py").write_text(code.replace(".size()", ".size() * 2"))
    done = run(tmp_path, "leadscore", "resume", str(folder), "--plugin", "mine_features", "--config-dir", "conf")
    assert "feature or model code has changed since: job 1 of 2" in done.stderr
    assert "2 jobs: 1 done, 1 known" in done.stdout
    assert statuses(tmp_path) == ["done"] * 3
    assert (folder / "1-2" / "identity.json").exists()


def test_data_that_changed_are_said_and_their_jobs_run_again(tmp_path):
    tables = load_tables(compose(["data.n_leads=400"]).data)
    tables.leads.to_csv(tmp_path / "leads.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S%z")
    events = tables.events[["user_id", "timestamp", "event_type"]]
    events.to_csv(tmp_path / "events.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S%z")
    (tmp_path / "conf" / "data").mkdir(parents=True)
    (tmp_path / "conf" / "data" / "written.yaml").write_text(
        "defaults: [/schema/data/files@_here_, _self_]\nname: written\ntimezone: UTC\n"
        "statuses: {trial: open, paid: converted, canceled: closed, expired: closed, declined: closed}\n"
        "known_at_creation: {country: category, source: category, plan: category, company_size: number}\n"
        "leads: {path: leads.csv}\nevents: {path: events.csv, columns: {user_id: user_id}}\n"
    )
    words = ["--config-dir", "conf", "data=written", "data.dir=.", "model=baseline", "seed=1,2", *SMALL[1:]]
    first = run(tmp_path, "leadscore.train", "-m", *words)
    assert first.returncode == 0, first.stderr
    (folder,) = tmp_path.glob("multirun/*/*")
    events.iloc[:-1].to_csv(tmp_path / "events.csv", index=False, date_format="%Y-%m-%dT%H:%M:%S%z")
    done = run(tmp_path, "leadscore", "resume", str(folder), "--config-dir", "conf")
    assert "2 jobs: 2 done" in done.stdout, done.stderr
    assert "note: the data are not what they were when the sweep was started before: jobs 0, 1" in done.stdout
    assert (folder / "0-2").is_dir()


def test_the_joblib_launcher_runs_jobs_and_knows_them_again(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    words = ["model=baseline", "seed=1,2", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    first = run(tmp_path, "leadscore.train", "-m", *SMALL, *words)
    assert first.returncode == 0, first.stderr
    assert statuses(tmp_path) == ["done", "done"]
    again = run(tmp_path, "leadscore.train", "-m", *SMALL, *words)
    assert again.returncode == 0, again.stderr
    assert again.stderr.count("is known, run ") == 2
    assert statuses(tmp_path) == ["done", "done"]
    refused = run(tmp_path, "leadscore.train", "-m", *SMALL, *words, "sweep.timeout=1h")
    assert refused.returncode == 1
    assert "sweep.timeout=1h: hydra/launcher=sequential and hydra/launcher=parallel see to that" in refused.stderr


def test_the_submitit_launcher_runs_jobs(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher")
    done = run(tmp_path, "leadscore.train", "-m", *SMALL, "model=baseline", "seed=1,2", "hydra/launcher=submitit_local")
    assert done.returncode == 0, done.stderr
    assert statuses(tmp_path) == ["done", "done"]


def test_the_optuna_sweeper_is_told_the_auc_and_a_choice_it_makes_twice_is_run_once(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_optuna_sweeper")
    search = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=1"]
    asked = ["hydra.sweeper.direction=maximize", "model=logistic", "model.C=choice(0.1,10)", *SMALL]
    done = run(tmp_path, "leadscore.train", "-m", *search, *asked)
    assert done.returncode == 0, done.stderr
    assert "2 combinations to search among" in done.stderr
    assert "3 jobs: " in done.stdout
    rows = read_rows(tmp_path / "outputs" / "experiments.csv")
    assert len(rows) == len({row["config_hash"] for row in rows}) <= 2
    (results,) = tmp_path.glob("multirun/*/*/optimization_results.yaml")
    best = max(float(row["auc"]) for row in rows)
    assert f"best_value: {best}" in results.read_text()
