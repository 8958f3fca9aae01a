"""Scoring: today's leads through the edge and the features of training, written whole or not at all."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
from forgery import forge, unrecorded
from scoring_world import MODEL, Today

from leadscore import compose, compose_score, open_run
from leadscore.errors import ConfigError, DataError, LeadscoreError, ModelError, RecordError, WindowError
from leadscore.pipeline import run as train
from leadscore.promotion import promote
from leadscore.record.log import original
from leadscore.scoring import parity, prepare_batch, write_scores
from leadscore.scoring.output import COLUMNS, writing
from leadscore.verbs import main

# --- what is written ---------------------------------------------------------------------------------


def test_leads_that_are_due_get_a_probability_a_band_and_reasons(today):
    report = today.write()
    frame = pd.read_parquet(today.output)
    assert list(frame) == list(COLUMNS)
    assert len(frame) == report["leads"]["scored"] > 20
    assert frame["user_id"].is_monotonic_increasing
    assert frame["probability"].between(0, 1).all()
    assert np.allclose(frame["score"], 100 * frame["probability"], atol=0.05)
    assert set(frame["band"]) <= set("ABCD")
    assert sum(report["bands"].values()) == len(frame)
    assert frame["reason_1"].str.contains(": (?:raises|lowers)$").mean() > 0.9
    assert frame["code_1"].str.match(r"[a-z_0-9]+:(raises|lowers)").mean() > 0.9
    assert set(frame["run"]) == {report["run"]}
    assert frame["as_of"].between(pd.Timestamp(report["since"]), pd.Timestamp(report["as_of"])).all()


def test_a_rerun_gives_the_same_bytes_and_python_gives_the_same_frame(today):
    first = today.write()
    content = today.output.read_bytes(), (today.folder / "scores.report.json").read_bytes()
    assert today.write() == first
    assert (today.output.read_bytes(), (today.folder / "scores.report.json").read_bytes()) == content
    read = pd.read_parquet(today.output)
    pd.testing.assert_frame_equal(today.score(), read, check_dtype=False)
    assert json.loads(content[1])["sha256"] == first["sha256"]


def test_chunks_give_what_one_batch_gives(today):
    whole, parts = today.score(), today.score("chunk_rows=7")
    pd.testing.assert_frame_equal(whole, parts, check_exact=True)


def test_csv_keeps_ids_and_numbers_and_runs_no_formula(today):
    today.leads["user_id"] = today.leads["user_id"].replace({"L000082": "=1+1", "L000092": "007"})
    today.events["user_id"] = today.events["user_id"].replace({"L000082": "=1+1", "L000092": "007"})
    today.output = today.folder / "scores.csv"
    today.write()
    text = pd.read_csv(today.output, dtype="str")
    assert "'=1+1" in set(text["user_id"])
    assert {"=1+1", "007"} <= {original(cell) for cell in text["user_id"]}
    numbers = pd.read_csv(today.output, dtype={"user_id": "str"})["probability"]
    assert numbers.tolist() == today.score()["probability"].tolist()
    assert text["as_of"].str.endswith("Z").all()


def test_a_batch_without_a_lead_is_refused_unless_it_may_be_empty(today):
    today.write()
    before = today.output.read_bytes()
    with pytest.raises(WindowError, match=r"no lead is due at 2025-06-30 00:00 UTC, of 800 candidates: \d+ their own"):
        today.write("as_of=2025-06-30", "since=1s")
    assert today.output.read_bytes() == before
    report = today.write("as_of=2025-06-30", "since=1s", "allow_empty=true")
    assert len(pd.read_parquet(today.output)) == 0
    assert list(pd.read_parquet(today.output)) == list(COLUMNS)
    assert "no lead is due: the file has its header and no rows" in report["warnings"]
    assert report["drift"]["score"] is None


# --- who is scored -----------------------------------------------------------------------------------


def test_a_snapshot_model_scores_open_leads_younger_than_its_oldest(today):
    frame = today.score(run="weekly")
    leads = today.leads.set_index("user_id").loc[frame["user_id"]]
    end = pd.Timestamp("2025-07-01", tz="UTC")
    assert (frame["as_of"] == end).all()
    assert (end - pd.to_datetime(leads["created_at"], format="ISO8601") < pd.Timedelta(days=60)).all()
    assert leads["converted_at"].isna().all()
    assert leads["closed_at"].isna().all()


def test_all_open_leads_need_a_model_that_saw_their_age(today):
    with pytest.raises(WindowError, match=r"one observation a lead, 7d after its creation.*allow_age_shift=true"):
        today.score("who=open")
    report = today.write("who=open", "allow_age_shift=true")
    assert "leads of any age are scored" in report["allowed"]["allow_age_shift"]
    assert report["leads"]["scored"] > today.write()["leads"]["scored"]


def test_each_lead_at_the_instant_of_a_column(today):
    today.leads["scored_on"] = "2025-06-01T00:00:00Z"
    column = ["+data.leads.columns.as_of=scored_on", "as_of=column"]
    with pytest.raises(WindowError, match="as_of=column scores each lead at whatever instant"):
        today.score(*column)
    frame = today.score(*column, "allow_age_shift=true")
    assert set(frame["as_of"]) == {pd.Timestamp("2025-06-01", tz="UTC")}


def test_an_instant_that_the_tables_do_not_reach_is_refused(today):
    with pytest.raises(WindowError, match=r"lies 2d after 2025-07-01 00:00.*max_staleness \(now 1d\)"):
        today.score("as_of=2025-07-03")
    assert len(today.score("as_of=2025-07-03", "max_staleness=2d"))


# --- what is missing ---------------------------------------------------------------------------------


def test_a_missing_column_names_the_feature_the_column_and_the_model_and_keeps_the_old_file(today):
    today.write()
    before = today.output.read_bytes()
    today.leads = today.leads.drop(columns="company_size")
    with pytest.raises(DataError) as refused:
        today.write()
    said = str(refused.value)
    assert "feature 'company_size' reads the lead column 'company_size'" in said
    assert "leads.csv has no column 'company_size'" in said
    assert "lightgbm of run" in said
    assert "missing.company_size=abstain" in said
    assert today.output.read_bytes() == before


def test_a_declared_default_stands_in_and_the_report_says_so(today):
    full = today.score()
    today.leads = today.leads.drop(columns="company_size")
    report = today.write("+missing.company_size=default")
    assert "(default)" in report["warnings"][0]
    assert "company_size" in report["lacking"]
    assert "company_size" not in report["drift"]["features"]
    assert len(pd.read_parquet(today.output)) == len(full)


def test_leads_without_a_needed_value_abstain_and_say_so(today):
    unknown = today.leads["company_size"].isna()
    frame = today.score("+missing.company_size=abstain").set_index("user_id")
    silent = frame[frame["probability"].isna()]
    assert set(silent.index) == set(frame.index) & set(today.leads.loc[unknown, "user_id"])
    assert 0 < len(silent) < len(frame)
    assert set(silent["reason_1"]) == {"no score: company size is missing"}
    assert set(silent["code_1"]) == {"company_size:abstained"}
    assert set(silent["band"]) == {""}
    everyone = today.score().set_index("user_id")
    assert frame.loc[frame["probability"].notna(), "probability"].equals(
        everyone.loc[frame["probability"].notna(), "probability"]
    )


def test_a_missing_event_table_is_never_a_silent_zero(today):
    with pytest.raises(DataError, match=r"feature 'events_last_7_days' reads events, and the data have none"):
        today.score("data.events=null")


def test_an_event_type_that_no_event_has_is_refused_for_who_needs_it(world, tmp_path):
    given = ["data=exported", f"data.dir={world}", f"tracking.root={tmp_path}", *MODEL, "features=+sessions"]
    train(compose(given, config_dir=world / "conf"), world / "sessions")
    today = Today(world, tmp_path)
    today.events = today.events[today.events["event_type"] != "session"]
    with pytest.raises(DataError, match=r"reads events of type 'session'; no event has it.*was trained on it"):
        today.score(run="sessions")


def test_a_policy_for_no_feature_and_a_policy_that_is_none(today):
    with pytest.raises(ConfigError, match=r"missing.company_sise is no feature .*Did you mean 'company_size'"):
        today.score("+missing.company_sise=default")
    with pytest.raises(ConfigError, match=r"missing.company_size: .*Allowed: abstain, default"):
        today.config("+missing.company_size=zero")


def test_columns_that_nobody_asked_for_are_named_and_ignored(today):
    plain = today.score()
    today.leads["label"] = "1"
    today.leads["owner"] = "Ada"
    report = today.write()
    assert any("2 columns are not used: label, owner" in note for note in report["data"]["notes"])
    assert pd.read_parquet(today.output)["probability"].tolist() == plain["probability"].tolist()


def test_too_many_levels_that_training_did_not_have(today):
    due = today.leads["created_at"] > "2025-04"
    today.leads.loc[due, "country"] = "Atlantis"
    with pytest.raises(DataError, match=r"feature 'country': 100% of the leads have a level.*'Atlantis'.*allows 20%"):
        today.score()
    report = today.write("max_unseen_share=1")
    assert report["drift"]["features"]["country"]["unseen"] == ["Atlantis"]
    assert report["drift"]["drivers"][0] == "country"


def test_a_status_that_nobody_declared(today):
    today.leads.loc[3, "status"] = "ghosted"
    with pytest.raises(DataError, match=r"column 'status': 1 not declared in data.statuses.*'ghosted'"):
        today.score()


def test_drift_beyond_the_limit_is_refused_with_its_drivers(today):
    today.leads["company_size"] = 90_000
    with pytest.raises(DataError, match=r"PSI above drift.fail=0.25.*feature 'company_size'.*nothing was written"):
        today.write("drift.fail=0.25")
    assert not today.output.exists()
    report = today.write("drift.fail=null")
    assert report["drift"]["drivers"][0] == "company_size"
    assert any("'company_size' has moved since training" in said for said in report["warnings"])


def test_a_batch_of_few_leads_is_no_drift(today):
    report = today.write("since=5d", "drift.fail=0.25")
    assert report["leads"]["scored"] < 15
    assert not [name for name, told in report["drift"]["features"].items() if told["verdict"] == "fail"]


def test_a_thin_export_is_told(today):
    batch = prepare_batch(open_run(today.world / "delay"), today.config())
    thin = batch.population.frame.head(2)
    counts = {**batch.population.counts, "scored": 2}
    object.__setattr__(
        batch, "population", type(batch.population)(thin, batch.population.as_of, batch.population.since, counts)
    )
    said = write_scores(batch)["warnings"]
    assert any("2 leads, where training had" in each for each in said)


# --- which model -------------------------------------------------------------------------------------


def edited(today, tmp_path, edit):
    folder = tmp_path / "edited"
    shutil.copytree(today.world / "delay", folder)
    edit(folder)
    return open_run(folder)


def test_other_feature_code_is_refused_unless_allowed(today, tmp_path):
    def edit(folder):
        identity = json.loads((folder / "identity.json").read_text())
        (folder / "identity.json").write_text(json.dumps({**identity, "code_hash": "0" * 64}))

    run = edited(today, tmp_path, edit)
    with pytest.raises(RecordError, match=r"trained with other code: feature or model code \(00000000, now"):
        prepare_batch(run, today.config())
    report = write_scores(prepare_batch(run, today.config("allow_code_change=true")))
    assert "00000000" in report["allowed"]["allow_code_change"]


def test_modules_of_a_record_are_never_imported_unasked(today, tmp_path):
    def edit(folder):
        text = (folder / "config.yaml").read_text()
        (folder / "config.yaml").write_text(text.replace("plugins: []", "plugins: [antigravity]"))

    with pytest.raises(RecordError, match=r'add "plugins=\[antigravity\]"'):
        prepare_batch(edited(today, tmp_path, edit), today.config())


def test_simulated_leads_for_a_model_of_real_ones(today):
    with pytest.raises(DataError, match=r"data=demo are simulated leads, and .* was trained on exported"):
        prepare_batch(open_run(today.world / "delay"), compose_score([f"output={today.output}"]))


def test_a_failed_run_scores_nobody(today, tmp_path):
    def edit(folder):
        identity = json.loads((folder / "identity.json").read_text())
        (folder / "identity.json").write_text(json.dumps({**identity, "status": "failed"}))

    with pytest.raises(RecordError, match="is failed: only a finished run can score"):
        prepare_batch(edited(today, tmp_path, edit), today.config())


# --- what happens to the file ------------------------------------------------------------------------


def test_two_jobs_on_one_output(today):
    with writing(today.output), pytest.raises(RecordError, match="another job is writing"):
        today.write()
    today.write()


def test_a_job_that_dies_half_way_leaves_the_old_file_and_the_next_one_clears_up(today, monkeypatch):
    today.write()
    before = {path.name: path.read_bytes() for path in today.folder.iterdir()}
    from leadscore.scoring import output

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(output.os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        today.write("scored_at=2025-07-02")
    monkeypatch.undo()
    assert {path.name: path.read_bytes() for path in today.folder.iterdir()} == before
    (today.folder / f".{today.output.name}.1.partial").write_text("half")
    today.write()
    assert not list(today.folder.glob(".*.partial"))


def test_a_full_disk_is_one_sentence_and_the_old_file_stays(today, monkeypatch):
    today.write()
    before = today.output.read_bytes()
    from leadscore.scoring import output

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(output.os, "fsync", full)
    with pytest.raises(RecordError, match="cannot be written: No space left on device; what stood there is untouched"):
        today.write()
    monkeypatch.undo()
    assert today.output.read_bytes() == before


# --- parity ------------------------------------------------------------------------------------------


def test_scoring_gives_what_training_recorded(world, capsys):
    assert main(["verify", "--parity", str(world / "weekly")]) == 0
    said = capsys.readouterr().out
    assert "recorded validation predictions bit for bit" in said
    assert "25 leads one at a time" in said


def test_parity_is_asked_of_a_model_that_another_version_saved(today, tmp_path):
    def edit(folder):
        unrecorded(folder)
        manifest = json.loads((folder / "model" / "manifest.json").read_bytes())
        forge(folder / "model", versions={**manifest["versions"], "lightgbm": "99.0.0"})

    run = edited(today, tmp_path, edit)
    with pytest.raises(ModelError, match=r"lightgbm 99\.0\.0"):
        _ = run.model
    assert parity(run)[0]


def test_one_prediction_moved_by_its_last_bit_breaks_parity(today, tmp_path):
    def edit(folder):
        frame = pd.read_parquet(folder / "predictions.parquet")
        frame.loc[3, "probability"] = np.nextafter(frame.loc[3, "probability"], 1)
        frame.to_parquet(folder / "predictions.parquet")

    holds, said = parity(edited(today, tmp_path, edit))
    assert not holds
    assert "differs from training in 1 of" in said


def test_a_run_whose_raw_table_was_changed_since_is_not_promoted(today, capsys):
    late = today.events["timestamp"] > "2025-04"
    today.events = today.events[~late | (today.events["event_type"] != "login")]
    today.config()
    root = today.folder / "outputs"
    line = ["promote", str(today.world / "delay"), "--why", "x", "--tracking-root", str(root)]
    assert main([*line, "--data-dir", str(today.folder)]) == 1
    said = capsys.readouterr().err
    assert "1 of 5 conditions of the gate failed\n  parity: scoring differs from training in" in said
    assert not root.exists()


# --- the door ----------------------------------------------------------------------------------------


def test_the_champion_scores_from_the_command_line(today, command, monkeypatch):
    entry = promote(open_run(today.world / "delay"), "first", root=today.world / "outputs")
    assert "recorded validation predictions bit for bit" in entry.gate[-1]["sentence"]
    today.config()
    line = [
        "run=champion",
        f"roots=[{today.world}/outputs]",
        "--config-dir",
        str(today.world / "conf"),
        "data=exported",
    ]
    line += [f"data.dir={today.folder}", f"output={today.output}", "since=60d", "drift.fail=null"]
    done = command(*line, "as_of=data_end", module="leadscore.score")
    assert done.returncode == 0, done.stderr
    assert "bands     A" in done.stdout
    scored = today.output.read_bytes()
    refused = command(*line, "as_of=now", module="leadscore.score")
    assert refused.returncode == 1
    assert "up to which the tables are complete" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert today.output.read_bytes() == scored
    only = command(*line, "as_of=data_end", "validate_only=true", module="leadscore.score")
    assert "nothing was scored or written" in only.stdout
    assert command("--flag", module="leadscore.score").returncode == 2


@pytest.mark.parametrize("name", ["1234e567", "00012", "latest~1", "20261126T164426", "nan", "./runs/x", "5"])
def test_a_runs_name_is_text_whatever_it_looks_like(name):
    assert compose_score([f"run={name}"]).run == name


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("model=lightgbm", "a saved run is scored with its own model"),
        ("+features.age_days={}", "a saved run is scored with its own features"),
        ("output=scores.xlsx", "its ending says the format"),
        ("as_of=yesterday", "or one of now, data_end, column"),
        ("as_of=2026-11-23T06:00", "has no zone: write 2026-11-23T06:00Z or an offset"),
        ("as_of='2026-11-23T06:00 CET'", "is not an ISO 8601 date or time"),
        ("since=-5d", "is not a duration"),
        ("since=99999999d", "is longer than 36,525 days"),
        ("output=", "its ending says the format"),
        ("drift.warn=0.5", "drift.warn 0.5 lies above drift.fail 0.25"),
        ("sinse=2d", "Did you mean 'since'"),
        ("max_unseen_share=2", "must be at most 1"),
        ("data.seed=x", "data.seed"),
    ],
)
def test_a_wrong_batch_is_refused_before_any_data_are_read(override, said):
    with pytest.raises(LeadscoreError) as refused:
        compose_score([override])
    assert said in str(refused.value)
