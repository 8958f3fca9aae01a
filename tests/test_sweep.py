"""A sweep from the command line: what is known is not run again, and one table tells of all jobs."""

import csv
import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from leadscore import score, train
from leadscore.config.command import Grid
from leadscore.config.compose import config_loader
from leadscore.errors import ConfigError, RecordError
from leadscore.memory import Memory
from leadscore.pipeline import compose, run
from leadscore.record import read_rows
from leadscore.sweeps.changes import changes_since
from leadscore.sweeps.folder import SweepFolder
from leadscore.sweeps.jobs import Job
from leadscore.sweeps.known import known_auc
from leadscore.sweeps.outcome import measured_in_log
from leadscore.sweeps.sweep import Command, Sweep
from leadscore.verbs import main as verb
from leadscore.verbs.resume import command_of

SMALL = ["data.n_leads=400", "audit=off", "report=false"]
LINE = ["-m", "model=baseline,logistic", "window.horizon=20d,600d", *SMALL]  # 600d is longer than the data


def said_by(home: Path, do: Any, *words: str) -> SimpleNamespace:
    """Give a command in this process, which saves a start; its jobs have processes of their own all the same."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.chdir(home)
        patch.setattr(sys, "argv", ["leadscore-train", *words])
        try:
            status: Any = do()
        except SystemExit as left:
            status = left.code
    return SimpleNamespace(status=status, out=out.getvalue(), err=err.getvalue(), said=out.getvalue() + err.getvalue())


def trained(home: Path, *words: str) -> SimpleNamespace:
    return said_by(home, train.main, *words)


def rows_of(home: Path) -> list[dict[str, str]]:
    return read_rows(home / "outputs" / "experiments.csv")


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "sweep.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def first(home):
    done = trained(home, *LINE)
    (done.folder,) = home.glob("multirun/*/*")
    done.rows = rows_of(home)
    return done


def test_a_sweep_says_how_many_jobs_it_has_and_ends_in_one_table(first):
    assert first.err.startswith("leadscore: 4 jobs\n")
    assert "leadscore: job 0 done (1 of 4), AUC 0.500\n" in first.err
    lines = first.out.splitlines()
    assert lines[0].startswith("horizon 20d, 84 rows (6 converted), validation ")
    assert lines[1].split()[:4] == ["job", "model", "window.horizon", "AUC"]
    assert [line.split()[:3] for line in lines[2:4]] == [["2", "logistic", "20d"], ["0", "baseline", "20d"]]
    assert "job 1 failed (model=baseline window.horizon=600d): no observation is left" in first.out
    assert "4 jobs: 2 done, 2 failed" in first.out
    assert first.status == "leadscore: 2 of 4 jobs came to no result"


def test_every_job_has_a_row_in_the_log_and_in_the_sweeps_own_files(first):
    assert sorted(row["status"] for row in first.rows) == ["done", "done", "failed", "failed"]
    rows = table(first.folder)
    assert [row["status"] for row in rows] == ["done", "failed", "done", "failed"]
    assert [row["model"] for row in rows] == ["baseline", "baseline", "logistic", "logistic"]
    assert {row["run_id"] for row in rows} == {row["run_id"] for row in first.rows}
    assert rows[1]["reason"].startswith("no observation is left")
    page = (first.folder / "sweep.html").read_text()
    assert "4 jobs: 2 done, 2 failed" in page
    assert 'href="1/terminal.log"' in page
    assert "python -m leadscore.train -m model=baseline,logistic" in page
    assert f"leadscore resume {first.folder}" in page
    told = json.loads((first.folder / "sweep.json").read_text())
    assert [job["status"] for job in told["jobs"]] == [row["status"] for row in rows]
    assert (told["groups"][0]["jobs"], told["groups"][0]["tried"]) == ([2, 0], 2)


def test_what_a_run_shows_is_in_its_folder_and_not_in_the_terminal(first):
    assert "ROC AUC" not in first.said
    assert "ROC AUC" in (first.folder / "2" / "terminal.log").read_text()
    assert "no observation is left" in (first.folder / "1" / "terminal.log").read_text()


@pytest.fixture(scope="module")
def resumed(home, first):
    return said_by(home, lambda: verb(["resume", str(first.folder)]))


def test_resume_runs_what_failed_in_folders_of_its_own_and_nothing_that_is_known(home, first, resumed):
    assert "going on with a sweep of 4 jobs, 2 of them done" in resumed.err
    assert "4 jobs: 2 known, 2 failed" in resumed.out
    assert len(rows_of(home)) == 6
    assert sorted(path.name for path in first.folder.iterdir() if path.is_dir()) == ["0", "1", "1-2", "2", "3", "3-2"]
    assert [row["run_id"] for row in table(first.folder) if row["status"] == "known"] == [
        row["run_id"] for row in first.rows if row["status"] == "done"
    ]


def test_a_job_of_another_launcher_is_known_too_unless_it_is_to_run_again(home, first, monkeypatch):
    monkeypatch.chdir(home)
    asked = ["model=baseline", "window.horizon=480h", "data.n_leads=400"]
    (done,) = [row for row in first.rows if row["model"] == "baseline" and row["status"] == "done"]
    assert known_auc(compose(asked)) == (done["run_id"], 0.5)
    assert known_auc(compose([*asked, "sweep.rerun=true"])) is None
    assert known_auc(compose([*asked, "data.seed=24"])) is None
    assert known_auc(compose([*asked, "seed=1"])) is None


def test_a_run_of_which_the_log_alone_is_left_still_has_its_numbers(home, first):
    (done,) = [row for row in first.rows if row["model"] == "baseline" and row["status"] == "done"]
    found = measured_in_log(home / "outputs", done["run_id"])
    assert (found.auc, found.rows, found.positives, found.identity) == (0.5, 84, 6, done["identity"])


# Before the first job


def refusal(*overrides: str) -> str:
    with config_loader() as loader, pytest.raises(ConfigError) as refused:
        Grid(overrides, loader)
    return str(refused.value)


def test_a_grid_that_cannot_be_read_is_explained():
    assert refusal("model=logistic,").startswith("'model=logistic,' is not an override (GROUP=CHOICE or KEY=VALUE): ")
    assert refusal("model=logistic,").endswith(
        "several values are listed by commas without spaces, as in model=logistic,lightgbm"
    )
    assert "ANTLR" not in refusal("model=a,,b")
    assert refusal("seed=range(3,3)") == "seed=range(3,3): no value is in it, so there is no job"
    assert "needs a sweeper that samples" in refusal("model.C=interval(0,1)")


def test_a_grid_of_a_million_jobs_is_counted_and_refused(tmp_path):
    done = trained(tmp_path, "-m", "seed=range(1000)", "model.C=range(1,1001)")
    assert done.err == "leadscore: 1,000,000 jobs\n"
    assert done.status == (
        "leadscore: this command is 1,000,000 jobs; sweep.max_jobs=1,000 allows no more: sweep over less"
    )
    huge = trained(tmp_path, "-m", "seed=range(100000000)", "sweep.max_jobs=5")
    assert huge.err == "leadscore: 1,000,000 jobs or more\n"
    assert "sweep.max_jobs=5" in huge.status
    assert not list(tmp_path.iterdir())


def test_limits_and_launchers_that_are_none_are_refused(tmp_path):
    done = trained(tmp_path, "-m", "seed=1,2", "sweep.timeout=soon", "sweep.max_jobs=0", "sweep.memory_gb=0")
    for key in (
        "sweep.timeout: 'soon'",
        "sweep.max_jobs: 0 must be at least 1",
        "sweep.memory_gb: 0.0 must be above 0",
    ):
        assert key in done.status
    done = trained(tmp_path, "-m", "seed=1,2", "hydra/launcher=parallel", "hydra.launcher.jobs=0")
    assert done.status == "leadscore: hydra.launcher.jobs=0: at least 1, or null"


def test_batches_of_scores_are_swept_by_hydra_alone(home, first):
    asked = ["-m", f"run={first.rows[0]['run_id']}", "as_of=2025-05-01,2025-05-08", "output=scores.csv"]
    done = said_by(home, score.main, *asked, "hydra/launcher=parallel")
    assert done.status == "leadscore: jobs of leadscore.score are no runs: Hydra's own launcher and sweeper do them"


# The folder


def test_two_sweeps_in_one_folder_are_refused(tmp_path):
    mine = SweepFolder(tmp_path, ["model=a,b"])
    with pytest.raises(RecordError, match="another sweep is at work in this folder"):
        SweepFolder(tmp_path, ["model=a,b"])
    mine.write({"overrides": ["model=a,b", "sweep.timeout=1h"]})
    mine.close()
    with pytest.raises(RecordError, match=r"holds another sweep \(model=a,b\): give this one a folder of its own"):
        SweepFolder(tmp_path, ["model=a,c"])
    again = SweepFolder(tmp_path, ["model=a,b", "sweep.timeout=2h"])
    assert again.before == {"overrides": ["model=a,b", "sweep.timeout=1h"]}
    again.close()


def test_a_damaged_sweep_json_is_said_and_the_folder_is_let_go(tmp_path):
    (tmp_path / "sweep.json").write_text("{")
    for _ in range(2):
        with pytest.raises(RecordError, match=r"sweep\.json cannot be read"):
            SweepFolder(tmp_path, [])
    with pytest.raises(RecordError, match=r"holds no sweep\.json: no sweep of hydra/launcher=sequential or parallel"):
        command_of(tmp_path / "elsewhere")


def test_resume_takes_other_ways_and_no_other_question(tmp_path):
    folder = SweepFolder(tmp_path, [])
    told = {"overrides": ["model=a,b", "sweep.timeout=1h", "plugins=[mine]"], "config_dir": "conf", "directory": "/x"}
    folder.write(told)
    with pytest.raises(ConfigError, match="model=c: the jobs stay as they are"):
        command_of(tmp_path, ["model=c"])
    with pytest.raises(RecordError, match="never taken unasked; add --plugin mine --config-dir conf"):
        command_of(tmp_path)
    words, directory = command_of(tmp_path, ["sweep.timeout=2h"], ["mine"], "/conf")
    assert words == [
        *["-m", "--config-dir", "/conf", "model=a,b", "plugins=[mine]", "sweep.timeout=2h"],
        f"hydra.sweep.dir='{tmp_path}'",
    ]
    assert directory == Path("/x")


# What has changed


def test_what_changed_since_is_said_with_the_jobs_that_it_touches():
    named = {"config_hash": "c", "code_hash": "k", "engine_hash": "e", "environment": {}, "seed": 0}
    jobs = [Job(n, (f"seed={n}",), None, {**named, "parts": {"model": "m"}}) for n in range(4)]  # type: ignore[arg-type]
    then = [
        {"number": job.number, "overrides": list(job.overrides), "status": "done", "named": job.named} for job in jobs
    ]
    assert changes_since(None, jobs) == []
    assert changes_since({"jobs": then}, jobs) == ["going on with a sweep of 4 jobs, 4 of them done"]
    then[0] = {**then[0], "named": {**jobs[0].named, "code_hash": "old"}}
    then[2] = {**then[2], "named": {**jobs[2].named, "code_hash": "old", "parts": {"model": "other"}}}
    _, code, config = changes_since({"jobs": then}, jobs)
    assert code.startswith("feature or model code has changed since: jobs 0, 2 of 4, ")
    assert config.startswith("the config has changed since (model): job 2 of 4, ")


# What jobs of one process share


def test_runs_that_share_a_memory_are_bit_for_bit_those_that_share_nothing(tmp_path):
    def done(name: str, memory: Memory | None, *overrides: str) -> tuple[bytes, str, int]:
        asked = ["tracking=none", f"tracking.root={tmp_path}", "compute.cache=false", "metrics.resamples=100", *SMALL]
        run(compose([*asked, *overrides]), tmp_path / name, memory=memory)
        recalled = json.loads((tmp_path / name / "metrics.json").read_text())["features_from_cache"]
        identity = json.loads((tmp_path / name / "identity.json").read_text())["identity"]
        return (tmp_path / name / "predictions.parquet").read_bytes(), identity, len(recalled)

    memory = Memory()
    assert done("before", memory, "model=baseline")[2] == 0
    shared = done("shared", memory, "model=logistic")
    alone = done("alone", None, "model=logistic")
    assert shared[:2] == alone[:2]
    assert shared[2] == 9
    assert done("other", memory, "model=baseline", "features=+sessions")[2] == 0  # what was asked before is not enough


def test_a_value_is_made_once_and_never_kept_after_a_failure():
    memory = Memory()
    with pytest.raises(ZeroDivisionError):
        memory.recall("tables", "crm", lambda: 1 / 0)
    assert not memory.knows("tables", "crm")
    assert memory.recall("tables", "crm", lambda: 2) == 2


def test_a_sweep_without_jobs_leaves_nothing():
    Sweep(Command([], None), print).close()
