"""The whole house through the real command line, and through the Python door."""

import json
import re

import pandas as pd
import pytest
import yaml

from leadscore.record import read_rows

SMALL = "data.n_leads=1500"
BARE = ("audit=off", "report=false")  # where neither is what the story is about


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """One finished run in a folder of its own: (folder of the command, folder of the run, what it printed)."""
    import subprocess
    import sys

    home = tmp_path_factory.mktemp("walk")
    line = ["model=lightgbm", "features=+sessions", SMALL, "notes=does it help, really?"]
    done = subprocess.run(
        [sys.executable, "-m", "leadscore.train", *line], cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    (identity,) = home.glob("outputs/*/*/identity.json")
    return home, identity.parent, done


def test_every_file_of_the_shelf_is_there_and_nothing_half_written(finished):
    _, folder, _ = finished
    names = {path.name for path in folder.iterdir()}
    assert names == {
        ".hydra",
        "checks.json",
        "code.json",
        "data.json",
        "features.parquet",
        "config.yaml",
        "features.md",
        "identity.json",
        "metrics.json",
        "model",
        "predictions.parquet",
        "report.html",
        "schema.json",
        "train.log",
        "windows.json",
    }
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".joblib", ".tmp")]


def test_the_terminal_tells_the_numbers_and_where_they_are(finished):
    home, folder, done = finished
    metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
    said = done.stdout
    assert re.search(rf"ROC AUC +{metrics['auc']:.3f} +\[0\.\d{{3}}, 0\.\d{{3}}\] +0\.500", said)
    interval = json.loads((folder / "metrics.json").read_text())["folds"][0]["intervals"]["auc"]
    assert interval["low"] < metrics["auc"] < interval["high"]
    assert f"[{interval['low']:.3f}, {interval['high']:.3f}]" in said
    assert "best reachable" in said
    assert f"files     {folder.relative_to(home)}\n" in said
    assert "logged    outputs/experiments.csv" in said
    assert json.loads((folder / "identity.json").read_text())["run_id"] in said
    assert done.stderr == ""


def test_rows_add_up_from_room_to_room(finished):
    _, folder, _ = finished
    windows = json.loads((folder / "windows.json").read_text())
    rows = windows["rows"]["window"]
    assert rows["candidates"] == 1500 == sum(n for reason, n in rows.items() if reason != "candidates")
    fold = windows["folds"][0]
    later = json.loads((folder / "metrics.json").read_text())["rows"]
    assert later["features"] == rows["observations"]
    assert later["folds"] == [{"fold": 0, **fold["rows"]}]
    assert sum(fold["rows"].values()) == rows["observations"]
    predictions = pd.read_parquet(folder / "predictions.parquet")
    assert len(predictions) == fold["rows"]["valid"]
    assert predictions["label"].sum() == fold["positives"]["valid"]


def test_the_run_keeps_a_log_of_its_walk(finished):
    _, folder, _ = finished
    said = (folder / "train.log").read_text()
    steps = ["loading tables", "checking tables", "observing leads", "building features", "fitting", "recording"]
    assert [step for step in steps if step in said] == steps


def test_predictions_are_typed_and_the_metrics_are_theirs(finished):
    from sklearn.metrics import roc_auc_score

    _, folder, _ = finished
    predictions = pd.read_parquet(folder / "predictions.parquet")
    assert predictions.dtypes.astype(str).to_dict() == {
        "user_id": "str",
        "as_of": "datetime64[us, UTC]",
        "fold": "int64",
        "seed": "int64",
        "label": "int8",
        "probability": "float64",
    }
    metrics = json.loads((folder / "metrics.json").read_text())["metrics"]
    assert metrics["auc"] == pytest.approx(roc_auc_score(predictions["label"], predictions["probability"]), abs=1e-12)


def test_the_log_has_one_row_with_the_note(finished):
    home, folder, _ = finished
    (row,) = read_rows(home / "outputs" / "experiments.csv")
    identity = json.loads((folder / "identity.json").read_text())
    assert row["notes"] == "does it help, really?"
    assert (row["model"], row["features"], row["status"]) == ("lightgbm", "base+sessions", "done")
    assert row["config_hash"] == identity["config_hash"]
    assert float(row["auc"]) == json.loads((folder / "metrics.json").read_text())["metrics"]["auc"]


def test_the_config_on_the_shelf_names_the_run_again(finished):
    from leadscore.pipeline import compose

    _, folder, _ = finished
    config = yaml.safe_load((folder / "config.yaml").read_text())
    assert config["model"]["name"] == "lightgbm"
    assert list(config) == sorted(config)
    assert config["data"]["n_leads"] == 1500
    assert compose(["model=lightgbm", "features=+sessions", SMALL]).features == config["features"]


def test_the_dictionary_says_every_column_in_words(finished):
    _, folder, _ = finished
    dictionary = (folder / "features.md").read_text()
    assert (
        "| sessions_last_7_days | Sessions in the seven days before the score is made. | session | 7d before the score "
        "| sessions | 0 | an error |" in dictionary
    )


def test_the_saved_model_scores_as_it_did(finished):
    from leadscore.model import load_model

    _, folder, _ = finished
    from leadscore.pipeline import build_dataset, compose

    dataset = build_dataset(compose(["model=lightgbm", "features=+sessions", SMALL]))
    predictions = pd.read_parquet(folder / "predictions.parquet").set_index(["user_id", "as_of"])
    again = load_model(folder / "model").predict_proba(dataset.X.loc[predictions.index])
    assert again.tolist() == predictions["probability"].tolist()


def test_the_same_identity_gives_the_same_predictions(finished, command, tmp_path):
    _, folder, _ = finished
    assert (
        command(
            "features=+sessions", "model=lightgbm", SMALL, "model.num_threads=2", "tracking.root=elsewhere", *BARE
        ).returncode
        == 0
    )
    (other,) = (tmp_path / "elsewhere").glob("*/*/identity.json")
    first, second = json.loads((folder / "identity.json").read_text()), json.loads(other.read_text())
    assert first["identity"] == second["identity"]
    assert first["run_id"] != second["run_id"]
    pd.testing.assert_frame_equal(
        pd.read_parquet(folder / "predictions.parquet"), pd.read_parquet(other.parent / "predictions.parquet")
    )


def test_two_by_three_runs_and_each_has_a_row(command, tmp_path):
    done = command("-m", "model=logistic,baseline", "features=base,+sessions,+sessions+recency", SMALL, *BARE)
    assert done.returncode == 0, done.stderr
    rows = read_rows(tmp_path / "outputs" / "experiments.csv")
    assert {(row["model"], row["features"]) for row in rows} == {
        (model, features)
        for model in ("logistic", "baseline")
        for features in ("base", "base+sessions", "base+recency+sessions")
    }
    assert len({row["config_hash"] for row in rows}) == 6
    assert len({row["validation_hash"] for row in rows}) == 1
    assert sorted(path.parent.name for path in tmp_path.glob("multirun/*/*/*/identity.json")) == list("012345")


def test_one_invalid_choice_refuses_the_sweep_before_its_first_job(command, tmp_path):
    done = command("-m", "model=logistic,lightgmb", SMALL)
    assert done.returncode == 1
    assert "job 1 of 2 (model=lightgmb" in done.stderr
    assert "Did you mean 'lightgbm'?" in done.stderr
    assert "No job was started." in done.stderr
    assert not list(tmp_path.iterdir())


def test_two_starts_in_one_second_get_two_folders(tmp_path):
    import subprocess
    import sys

    line = [sys.executable, "-m", "leadscore.train", "data.n_leads=300", "model=baseline", *BARE]
    started = [subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate() and process.returncode for process in started] == [0, 0]
    assert len(list(tmp_path.glob("outputs/*/*/identity.json"))) == 2
    assert len(read_rows(tmp_path / "outputs" / "experiments.csv")) == 2


def test_validate_only_shows_the_run_and_leaves_nothing(command, tmp_path):
    done = command("validate_only=true", "window=snapshots", "window.max_age=60d", "validation=rolling", SMALL)
    assert done.returncode == 0, done.stderr
    for part in (
        "max_age: 60d",
        "fold 2    train",
        "purged",
        "features  9: active_days_last_7_days",
        "nothing was trained",
    ):
        assert part in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_users_mistake_is_one_message_without_a_traceback(command):
    done = command("window.horizon=600d", SMALL)
    assert done.returncode == 1
    assert "leadscore: no observation is left: 0 of 1,500; left out:" in done.stderr
    assert "Traceback" not in done.stderr


def test_tracking_none_leaves_the_folder_alone(command, tmp_path):
    assert command("tracking=none", SMALL, "model=baseline", *BARE).returncode == 0
    assert not (tmp_path / "outputs" / "experiments.csv").exists()
    assert list(tmp_path.glob("outputs/*/*/metrics.json"))


def test_a_users_own_features_and_configs_join(command, tmp_path):
    (tmp_path / "my_features.py").write_text(
        "from leadscore.features import feature\n\n"
        "@feature(source='events', event_type='ticket', lookback='7d', no_events=0, unit='tickets')\n"
        "def tickets_last_7_days(events_df, now):\n"
        "    '''Tickets in the last seven days.'''\n"
        "    return events_df.groupby('user_id').size()\n"
    )
    (tmp_path / "my_conf" / "features").mkdir(parents=True)
    (tmp_path / "my_conf" / "features" / "tickets.yaml").write_text("tickets_last_7_days: {}\n")
    done = command("--config-dir", "my_conf", "features=+tickets", "plugins=[my_features]", SMALL, "report=false")
    assert done.returncode == 0, done.stderr
    (dictionary,) = tmp_path.glob("outputs/*/*/features.md")
    assert "| tickets_last_7_days | Tickets in the last seven days." in dictionary.read_text()


def test_a_plugin_that_is_not_there_is_named(command, tmp_path):
    done = command("plugins=[my_featuers]")
    assert done.returncode == 1
    assert f"plugins: module 'my_featuers' cannot be imported (looked for in {tmp_path} and" in done.stderr


def test_the_python_door_trains_and_opens_a_run_from_anywhere(tmp_path, monkeypatch, capsys):
    from leadscore import build_dataset, compose, open_run, run, train_model

    monkeypatch.chdir(tmp_path)
    config = compose(["features=+sessions", SMALL, f"tracking.root={tmp_path / 'kept'}"])
    dataset = build_dataset(config)
    trained = train_model(dataset, config)
    assert trained.metrics["metrics"]["auc"] > 0.6
    run(config, tmp_path / "kept" / "one")
    opened = open_run("latest", [tmp_path / "kept"])
    assert opened.metrics["metrics"] == trained.metrics["metrics"]
    assert opened.predictions["probability"].tolist() == trained.predictions["probability"].tolist()
    assert opened.model.predict_proba(dataset.X).between(0, 1).all()
    assert capsys.readouterr().out == ""
    assert {path.name for path in tmp_path.iterdir()} == {"kept"}


@pytest.mark.parametrize(
    "note",
    [
        "a, b: c?",
        "it's",
        'she said "no"',
        r"back\slash",
        r"ends in \ ".strip(),
        "=1+1",
        "a=b",
        "ü ✓",
        "$(x) {y} [z]",
        "${now:}",
        "'tis",
        '"x',
    ],
)
def test_a_note_is_free_text(note):
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from omegaconf import OmegaConf

    from leadscore.config.command import quoted_note

    value = OverridesParser.create().parse_override(quoted_note(f"notes={note}")).value()
    assert OmegaConf.create({"notes": value}).notes == note


def test_completion_knows_groups_and_sets(tmp_path):
    import os
    import subprocess
    import sys
    from pathlib import Path

    program = Path(sys.executable).with_name("leadscore-train")
    for typed, offered in (("model=l", "model=lightgbm model=logistic"), ("features=+se", "features=+sessions")):
        line = f"leadscore-train {typed}"
        env = {**os.environ, "COMP_LINE": line, "COMP_POINT": str(len(line))}
        done = subprocess.run(
            [program, "-sc", "query=bash"], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.strip() == offered


@pytest.mark.parametrize(
    "flag", [["--config-path", "evil"], ["--config-name", "evil"], ["--experimental-rerun", "x.pickle"]]
)
def test_another_config_than_the_checked_one_is_never_run(command, tmp_path, flag):
    (tmp_path / "evil").mkdir()
    (tmp_path / "evil" / "evil.yaml").write_text(
        "hydra: {callbacks: {x: {_target_: builtins.open, file: MARK, mode: w}}}\n"
    )
    done = command("--config-dir", "evil", *flag)
    assert done.returncode == 1
    assert f"{flag[0]} {flag[1]}: not allowed" in done.stderr
    assert not (tmp_path / "MARK").exists()


def test_a_set_that_a_shipped_one_would_hide_is_refused(command, tmp_path):
    (tmp_path / "mine" / "features").mkdir(parents=True)
    (tmp_path / "mine" / "features" / "sessions.yaml").write_text("logins: {aggregate: count}\n")
    done = command("--config-dir", "mine", "features=sessions")
    assert "features/sessions.yaml would be ignored, because leadscore ships a file of that name" in done.stderr


def test_a_plugin_that_does_not_compile_is_named(command, tmp_path):
    (tmp_path / "broken.py").write_text("def f(:\n")
    done = command("plugins=[broken]")
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert "module 'broken' cannot be imported" in done.stderr
    assert "plugins=[broken' is not a list of modules" in command("plugins=[broken").stderr


def test_flags_may_stand_anywhere(command, tmp_path):
    done = command(SMALL, "-m", "model=baseline,logistic", "validate_only=true")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("nothing was trained") == 2


def test_a_log_that_cannot_take_a_row_is_found_before_the_work(command, tmp_path):
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "experiments.csv").write_text("name,score\nmine,1\n")
    done = command(SMALL)
    assert "experiments.csv has another header" in done.stderr
    assert not list(tmp_path.glob("outputs/*/*/identity.json"))


def test_a_tracking_root_that_is_a_file_is_named(command, tmp_path):
    (tmp_path / "taken").write_text("")
    assert "tracking.root taken: " in command("tracking.root=taken").stderr
    assert "tracking.root cannot be a folder: File name too long" in command(f"tracking.root={'x' * 300}").stderr


def test_a_folder_that_holds_a_run_is_refused_before_anything_is_written(finished, command):
    _, folder, _ = finished
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    done = command(f"hydra.run.dir={folder}", "notes=again")
    assert "the folder holds a run already" in done.stderr
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
