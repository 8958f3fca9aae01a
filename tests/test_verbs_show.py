"""`leadscore show`: one run on a page, nothing that it did not reach, and a command that does it again."""

import json
import os
import shlex
import shutil
import subprocess
import sys

import pytest

from leadscore.pipeline import compose, run
from leadscore.record import open_run
from leadscore.record.repeat import how_to_repeat
from leadscore.verbs import main

LINE = ["data.n_leads=400", "audit=off", "report=false", "validation=rolling", "validation.folds=2", "features=+mine"]
FOLDER = "hydra.run.dir=outputs/mine/deed"
NOTE = """it's "$5", isn't it? ${now}"""


def in_folder(home, *words):
    line = [sys.executable, "-m", *words]
    return subprocess.run(line, cwd=home, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder where one run was done, then a sweep of two, then one failed."""
    home = tmp_path_factory.mktemp("shown")
    mine = home / "my conf" / "features" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("tickets: {aggregate: count, event_type: ticket, lookback: 7d}\n")
    done = in_folder(home, "leadscore.train", *LINE, "--config-dir", "my conf", f"notes={NOTE}", FOLDER)
    assert done.returncode == 0, done.stderr
    swept = ["-m", "model=baseline,logistic", "data.n_leads=400", "audit=off", "report=false"]
    assert in_folder(home, "leadscore.train", *swept).returncode == 0
    assert in_folder(home, "leadscore.train", "data.n_leads=3").returncode == 1
    return home


@pytest.fixture
def first(home):
    (folder,) = (each.parent for each in home.glob("outputs/*/*/metrics.json") if "deed" in each.parent.name)
    return str(folder)


@pytest.fixture
def failed(home):
    folders = {each.parent for each in home.glob("outputs/*/*/identity.json")}
    (folder,) = (each for each in folders if not (each / "windows.json").exists())
    return str(folder)


@pytest.fixture
def show(home, monkeypatch, capsys):
    monkeypatch.chdir(home)

    def shown(*words):
        assert main(["show", *words]) == 0
        return capsys.readouterr().out

    return shown


def test_a_finished_run_stands_on_one_page(show, first):
    said, found = show(first), open_run(first)
    identity, metrics = found.identity, found.metrics
    assert said.startswith(f"run {identity['run_id']}: logistic on data demo, done\nnotes      {NOTE}\nstarted    20")
    for name in ("config_hash", "code_hash", "engine_hash", "data_hash", "validation_hash"):
        assert f"{name} {identity[name][:8]}" in said
        assert identity[name] not in said
    for part, value in identity["parts"].items():
        assert f"{part} {value[:8]}" in said
    assert "git        not in a repository" in said
    assert "window     7d after creation, outcome within 30d\nobserved   327 of 400; left out: 44 converted" in said
    assert "validated  rolling: embargo 0d, folds 2, inner_share 0.2, length 60d, seeds 1" in said
    assert all(line in said for line in found.windows["picture"])
    assert "metric (mean of 2 folds)" in said
    assert f"ROC AUC                      {metrics['metrics']['auc']:.3f}  none" in said
    recency = sum(fold["auc"] for fold in metrics["baselines"]["recency"]) / 2
    assert f"{recency:.3f}" in next(line for line in said.splitlines() if line.startswith("ROC AUC"))
    assert "Precision at 50% recall" in said
    assert "Found in the top 20%" in said
    assert "no interval: fold 0 has too few leads" in said
    assert "LS005 The rarer class has" in said
    assert "LS006" not in said  # it has nothing to say
    assert f"strongest  {metrics['importance'][0]['feature']} 0." in said
    assert "tickets: number of ticket events in the 7d before the score" in said
    assert max(map(len, said.splitlines())) <= 120


def test_an_interval_stands_beside_its_metric(show, first, tmp_path):
    copy = shutil.copytree(first, tmp_path / "copy")
    metrics = json.loads((copy / "metrics.json").read_text())
    metrics["intervals"]["auc"] |= {"low": 0.123, "high": 0.987, "reason": None}
    (copy / "metrics.json").write_text(json.dumps(metrics))
    (line,) = [line for line in show(str(copy)).splitlines() if line.startswith("ROC AUC")]
    assert "[0.123, 0.987]" in line


def test_json_has_the_files_as_they_are(show, first):
    found = json.loads(show(first, "--json"))
    run = open_run(first)
    assert found["identity"] == run.identity
    assert found["metrics"] == run.metrics
    assert found["windows"] == run.windows
    assert found["checks"] == run.checks["checks"]
    assert (found["notes"], found["champion"]) == (NOTE, False)
    assert {"identity.json", ".hydra/overrides.yaml", "model/manifest.json"} <= set(found["files"])
    assert [each["column"] for each in found["features"]].count("country") == 1


def test_a_failed_run_says_why_and_shows_nothing_that_it_did_not_reach(show, failed):
    said, identity = show(failed), open_run(failed).identity
    assert said.startswith(
        f"run {identity['run_id']}: logistic on data demo, failed\nreason     {identity['error'][:60]}"
    )
    for absent in ("metric", "strongest", "features ", "observed"):
        assert f"\n{absent}" not in said
    assert "python -m leadscore.train data.n_leads=3" in said
    found = json.loads(show(failed, "--json"))
    assert (found["metrics"], found["checks"], found["windows"]) == (None, None, None)


def test_a_run_that_was_stopped_says_so(show, tmp_path):
    for status, said in {
        "cancelled": ", cancelled\nreason     stopped by ctrl-c",
        "running": "or killed before it",
    }.items():
        folder = tmp_path / status
        folder.mkdir()
        identity = {"run_id": "1", "status": status, "started": "2026-01-01T00:00:00+00:00", "parts": {}}
        if status == "cancelled":
            identity["error"] = "stopped by ctrl-c"
        (folder / "identity.json").write_text(json.dumps(identity))
        page = show(str(folder))
        assert said in page
        assert "identity   none: its data were not read" in page
        assert "repeat     nothing is left that says how" in page


def test_the_printed_command_does_the_same_run_again(home, show, first):
    lines = show(first).partition(":\n  python")[2]
    printed = "python" + lines
    assert f"--config-dir '{home}/my conf'" in printed
    assert "-m leadscore.train" in printed
    before = json.loads(show(first, "--json"))
    done = subprocess.run(
        printed.replace("python", shlex.quote(sys.executable), 1),
        shell=True,
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert done.returncode == 0, done.stderr
    after = json.loads(show("latest", "--json"))
    assert after["identity"]["run_id"] != before["identity"]["run_id"]
    assert after["identity"]["identity"] == before["identity"]["identity"]
    assert after["notes"] == before["notes"] == NOTE


def test_a_job_of_a_sweep_is_repeated_alone(home):
    jobs = sorted(home.glob("multirun/*/*/*/identity.json"))
    commands = [how_to_repeat(open_run(job.parent)).command for job in jobs]
    rest = "data.n_leads=400 audit=off report=False"
    assert commands == [f"python -m leadscore.train model={name} {rest}" for name in ("baseline", "logistic")]


def test_a_run_that_python_started_is_repeated_by_python(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    run(compose(["data.n_leads=400", "audit=off", "report=false", "seed=3"]), "mine")
    assert main(["show", "mine"]) == 0
    said = capsys.readouterr().out
    assert "started by Python code" in said
    assert main(["show", "mine", "--json"]) == 0
    repeat = json.loads(capsys.readouterr().out)["repeat"]
    assert repeat["command"] is None
    exec(repeat["python"], {})
    once, again = open_run("mine"), open_run("latest")
    assert again.run_id != once.run_id
    assert again.identity["identity"] == once.identity["identity"]


def test_the_champion_is_called_so(home, show, first, monkeypatch):
    from leadscore import promotion

    monkeypatch.setattr(promotion, "parity", lambda run, **_: (True, "not asked here"))
    promotion.promote(open_run(first), "first", root=home / "outputs", force=True)
    assert json.loads(show("champion", "--json"))["champion"] is True
    assert ", done, champion\n" in show("champion")
