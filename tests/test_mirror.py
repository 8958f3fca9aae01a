"""The copy at Weights & Biases: what it tells, and that a run is whole without it, with or without the package."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from run_folders import HASH, IDENTITY, SECRET, finished, predictions, told
from sklearn.metrics import roc_auc_score

from leadscore.config.schema import WandbTracking
from leadscore.errors import ConfigError, RecordError
from leadscore.pipeline import compose, run
from leadscore.record import read_rows
from leadscore.record.copied import IDS_KEY, copied, hashed_ids, ids_key
from leadscore.record.curves import curve_rows
from leadscore.record.mirror import _plain, _run, copy_to_wandb, mirror, mode_of, waits
from leadscore.verbs import main


@pytest.fixture(autouse=True)
def nobody(tmp_path, monkeypatch):
    """No user's key, settings or variables."""
    for name in list(os.environ):
        if name.startswith("WANDB_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


@pytest.fixture
def no_package(tmp_path, monkeypatch):
    """A machine without wandb, whatever is installed on this one."""
    (tmp_path / "without").mkdir()
    (tmp_path / "without" / "wandb.py").write_text("raise ModuleNotFoundError(\"No module named 'wandb'\")")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "without"))


# --- what is told -----------------------------------------------------------------------------------------


def test_all_is_told_from_the_folder(tmp_path):
    run = copied(finished(tmp_path / "run"))
    assert (run.run_id, run.name, run.identity) == ("20240501T000000-aaaaaaaa", "c0ffee11", IDENTITY)
    assert run.config["features"] == {"logins": "{}", "sums": {"days": 7}}  # wandb drops what is empty
    assert run.config["identity"]["config_hash"] == HASH
    assert run.config["identity"]["parts"] == {"model": "e" * 64}
    assert run.summary == {
        "auc": 0.7,
        "auc_low": 0.6,
        "auc_high": 0.8,
        "brier": 0.1,
        "recency/auc": 0.5,
        "recency/brier": 0.1,
        "validation_rows": 300,
        "validation_conversions": 150,
        "checks/problems": 1,
        "checks/notes": 0,
    }
    assert ("0", "this run", "auc", 0.7, 0.6, 0.8) in run.tables["metrics"].rows
    assert run.tables["checks"].rows == [["LS005", "problem", "Too few", "9 converted.", "Wait."]]
    assert [(file.name, file.kind, file.aliases) for file in run.files] == [
        ("crm-2-model", "model", ("c0ffee11", "latest")),
        ("crm-2-features", "features", ("c0ffee11", "latest")),
        ("crm-2-report", "report", ("c0ffee11", "latest")),
    ]


def test_no_lead_is_told_unless_the_config_says_so(tmp_path):
    folder = finished(tmp_path / "run")
    (folder / "report.html").write_text("<p>AUC</p><!--leads--><td>lead7@example.com</td><!--/leads--><p>data</p>")
    run = copied(folder)
    assert "example.com" not in repr(run)
    assert [file.content for file in run.files if file.kind == "report"] == [b"<p>AUC</p><p>data</p>"]
    hashed = copied(folder, predictions=True, ids=b"k" * 32)
    assert hashed.tables["predictions"].columns == ["user_id", "as_of", "fold", "seed", "label", "probability"]
    assert "example.com" not in repr(hashed)
    assert hashed.tables["predictions"].rows[0][1] == "2024-05-01T00:00:00+00:00"
    assert copied(folder, predictions=True).tables["predictions"].rows[0][0] == "lead0@example.com"


def test_ids_are_hashed_with_a_key_that_stays_in_the_root(tmp_path):
    key = ids_key(tmp_path / "outputs")
    assert key == ids_key(tmp_path / "outputs") != ids_key(tmp_path / "others")
    assert (tmp_path / "outputs" / IDS_KEY).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "outputs").iterdir()] == [IDS_KEY]
    assert hashed_ids(["a", "b", "a"], key)[0] == hashed_ids(["a"], key)[0] != hashed_ids(["b"], key)[0]
    (tmp_path / "outputs" / IDS_KEY).write_bytes(b"short")
    with pytest.raises(RecordError, match=r"has 5 bytes, not 32: it is no key"):
        ids_key(tmp_path / "outputs")


@pytest.mark.parametrize(("mode", "group"), [("MULTIRUN", "05-28-39-abcd"), ("RUN", None)])
def test_the_jobs_of_a_sweep_share_its_folders_name(tmp_path, mode, group):
    folder = finished(tmp_path / "05-28-39-abcd" / "3")
    (folder / ".hydra").mkdir()
    (folder / ".hydra" / "hydra.yaml").write_text(f"hydra:\n  mode: {mode}\n")
    assert copied(folder).group == group


# --- curves -----------------------------------------------------------------------------------------------


def area(points):
    x, y = np.array([(x, y) for x, y, _ in points]).T
    return np.trapezoid(y, x)


def test_the_roc_curve_has_the_auc_under_it_and_few_points():
    frame = predictions(3_000)
    rows = curve_rows(frame)
    assert {name: len(points) for name, points in rows.items() if name != "calibration"} == {
        "roc": 200,
        "precision_recall": 200,
        "gains": 200,
    }
    assert area(rows["roc"]) == pytest.approx(roc_auc_score(frame["label"], frame["probability"]), abs=1e-3)
    assert rows["roc"][0] == rows["gains"][0] == (0.0, 0.0, "0")
    assert rows["roc"][-1] == rows["gains"][-1] == (1.0, 1.0, "0")
    assert rows["precision_recall"][-1] == (1.0, frame["label"].mean(), "0")


def test_calibration_puts_equally_many_leads_in_ten_bins():
    frame = predictions(3_000)
    points = curve_rows(frame)["calibration"]
    assert len(points) == 10
    assert all(abs(predicted - observed) < 0.1 for predicted, observed, _ in points)  # as the labels were drawn
    one_value = frame.assign(probability=0.25)
    assert curve_rows(one_value)["calibration"] == [(0.25, frame["label"].mean(), "0")]
    assert curve_rows(one_value)["roc"] == [(0.0, 0.0, "0"), (1.0, 1.0, "0")]


def test_folds_share_the_points_and_refits_and_single_classes_have_no_curve():
    frame = predictions(900, folds=3)
    assert len(curve_rows(frame)["roc"]) <= 200
    assert {fold for _, _, fold in curve_rows(frame)["roc"]} == {"0", "1", "2"}
    assert curve_rows(frame.assign(seed=(frame["fold"] == 2) * 1)).keys() == curve_rows(frame).keys()
    assert {fold for _, _, fold in curve_rows(frame.assign(seed=(frame["fold"] == 2) * 1))["roc"]} == {"0", "1"}
    assert curve_rows(frame.assign(label=0))["roc"] == []


def test_the_order_of_rows_moves_no_curve():
    frame = predictions(500)
    assert curve_rows(frame.sample(frac=1, random_state=1)) == curve_rows(frame)


# --- what is asked for ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "variable", "mode"),
    [
        (None, None, "online"),
        (None, "offline", "offline"),
        (None, "dryrun", "offline"),
        ("online", "disabled", "online"),
        ("disabled", "online", "disabled"),
    ],
)
def test_the_config_decides_the_mode_and_else_the_variable(monkeypatch, config, variable, mode):
    if variable is not None:
        monkeypatch.setenv("WANDB_MODE", variable)
    assert mode_of(WandbTracking(mode=config)) == mode


def test_a_mode_that_wandb_does_not_have_stops_a_run_before_its_work(tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "ofline")
    with pytest.raises(RecordError, match=r"WANDB_MODE=ofline is no mode of wandb. Did you mean 'offline'\?"):
        run(compose(["tracking=wandb", f"tracking.root={tmp_path}", "data.n_leads=400"]), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("tracking.mode=ofline", r"tracking.mode: 'ofline' is not one of its words. Did you mean 'offline'\?"),
        ("tracking.timeout=30", r"tracking.timeout: '30' is not a duration"),
        ("tracking.timeout=0s", r"tracking.timeout must be longer than 0d"),
        ("tracking.name=csv", r"tracking.name csv does not belong to the other keys of tracking"),
    ],
)
def test_wrong_settings_are_refused_by_name(override, said):
    with pytest.raises(ConfigError, match=said):
        compose(["tracking=wandb", override])


def test_tracking_is_no_part_of_what_is_asked():
    from leadscore.identity.asked import canonical_config

    a, b = compose([]), compose(["tracking=wandb", "tracking.predictions=true"])
    assert canonical_config(a, {}) == canonical_config(b, {})


# --- a run without its copy -------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_package")
def test_without_the_package_there_is_one_warning_that_names_the_extra(tmp_path, caplog):
    finished(tmp_path / "day" / "earlier", required=False)
    folder = finished(tmp_path / "day" / "run")
    mirror(tmp_path / "day" / "earlier", WandbTracking())
    copy_to_wandb(folder, WandbTracking())
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "wandb cannot be imported (No module named 'wandb'): pip install 'leadscore[wandb]'" in warning
    assert "2 runs in" in warning
    assert "leadscore runs sync" in warning
    assert told(folder)["synced"] is False
    assert "leadscore[wandb]" in told(folder)["reason"]
    assert (told(folder)["attempts"], told(folder)["mode"], told(folder)["url"]) == (1, "online", None)


@pytest.mark.usefixtures("no_package")
def test_a_run_is_whole_before_a_required_copy_fails(tmp_path):
    asked = ["data.n_leads=400", "model=baseline", "audit=off", "tracking=wandb", "tracking.required=true"]
    with pytest.raises(RecordError, match=r"has no copy of this run: wandb cannot be imported.*tracking.required=true"):
        run(compose([*asked, f"tracking.root={tmp_path}"]), tmp_path / "run")
    assert [(row["status"], row["auc"]) for row in read_rows(tmp_path / "experiments.csv")] == [("done", "0.5")]
    assert json.loads((tmp_path / "run" / "identity.json").read_text())["status"] == "done"
    assert (tmp_path / "run" / "report.html").is_file()
    assert told(tmp_path / "run")["synced"] is False


def test_disabled_asks_nobody_and_warns_nobody(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(subprocess, "Popen", None)
    folder = finished(tmp_path / "run")
    copy_to_wandb(folder, WandbTracking(mode="disabled", required=True))
    assert (told(folder)["synced"], told(folder)["reason"]) == (False, "disabled")
    assert caplog.records == []
    assert not waits(folder)


def test_a_folder_that_cannot_be_read_is_the_runs_own_fault(tmp_path):
    folder = finished(tmp_path / "run")
    (folder / "metrics.json").write_text("{")
    done = mirror(folder, WandbTracking())
    assert (done.synced, done.of_run) == (False, True)
    assert "metrics.json cannot be read: Expecting property name" in done.reason
    (folder / "metrics.json").unlink()
    assert "has no metrics.json" in mirror(folder, WandbTracking()).reason
    assert told(folder)["attempts"] == 2


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux tells who started whom")
def test_what_hangs_is_ended_with_all_that_it_started(tmp_path):
    code = "import subprocess, sys, time; p = subprocess.Popen(['sleep', '60'], start_new_session=True)\n"
    code += f"open({str(tmp_path / 'pid')!r}, 'w').write(str(p.pid)); time.sleep(60)"
    start = time.monotonic()
    assert _run([sys.executable, "-c", code], os.environ, tmp_path / "said", 2) is None
    assert time.monotonic() - start < 10
    status = Path("/proc", (tmp_path / "pid").read_text(), "status")
    for _ in range(50):
        if not status.exists() or "State:\tZ" in status.read_text():
            return
        time.sleep(0.1)
    pytest.fail("the grandchild lives")


def test_reasons_quote_no_secret(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    assert _plain(f"403 for api:{SECRET}\n at https://me:pass@host/x") == "403 for api:*** at https://***@host/x"
    assert len(_plain("x" * 5_000)) < 400


# --- runs sync --------------------------------------------------------------------------------------------


def test_who_waits(tmp_path):
    folder = finished(tmp_path / "killed")
    assert waits(folder)  # before it could copy
    (folder / "mirrors.json").write_text("{torn")
    assert waits(folder)
    (folder / "mirrors.json").write_text('{"wandb": {"synced": true, "mode": "online"}}')
    assert not waits(folder)
    (folder / "mirrors.json").write_text('{"wandb": {"synced": false, "mode": "offline"}}')
    assert waits(folder)
    assert not waits(finished(tmp_path / "other", name="csv"))


def test_sync_says_when_there_is_nothing_to_copy(tmp_path, capsys):
    failed = finished(tmp_path / "failed")
    identity = json.loads((failed / "identity.json").read_text())
    (failed / "identity.json").write_text(json.dumps({**identity, "status": "failed"}))
    finished(tmp_path / "untold", "20240502T000000-bbbbbbbb", name="csv")
    assert main(["runs", "sync", "--root", str(tmp_path)]) == 0
    assert "nothing to copy" in capsys.readouterr().out


@pytest.mark.usefixtures("no_package")
def test_sync_stops_where_no_other_run_would_fare_better(tmp_path, capsys):
    damaged = finished(tmp_path / "a", "20240501T000000-aaaaaaaa")
    (damaged / "checks.json").unlink()
    finished(tmp_path / "b", "20240502T000000-bbbbbbbb")
    third = finished(tmp_path / "c", "20240503T000000-cccccccc")
    assert main(["runs", "sync", "--root", str(tmp_path), "--json"]) == 1
    a, b, c = json.loads(capsys.readouterr().out)
    assert "has no checks.json" in a["reason"]
    assert "pip install 'leadscore[wandb]'" in b["reason"]
    assert c["reason"] == "not tried"
    assert not (third / "mirrors.json").exists()


@pytest.mark.parametrize(("timeout", "said"), [("5", "--timeout: '5' is not a duration"), ("0s", "longer than 0d")])
def test_sync_refuses_a_timeout_that_is_none(tmp_path, capsys, timeout, said):
    assert main(["runs", "sync", "--root", str(tmp_path), "--timeout", timeout]) == 1
    assert said in capsys.readouterr().err
