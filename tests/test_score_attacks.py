"""Scoring under attack: no other file is written over, a killed job leaves the old one, nothing is silent."""

import csv
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from forgery import forge, unrecorded

from leadscore import open_run, promotion
from leadscore.errors import DataError, ModelError, RecordError
from leadscore.model import store
from leadscore.promotion import promote
from leadscore.record.champion import rollback
from leadscore.record.log import original
from leadscore.score import check
from leadscore.scoring import prepare_batch, write_scores
from leadscore.scoring.output import COLUMNS, ScoreFile, writing


def tree(folder: Path) -> dict[str, bytes | str]:
    """Everything under a folder but locks."""
    found = {str(path): path for path in sorted(folder.rglob("*")) if path.suffix != ".lock"}
    return {name: os.readlink(path) if path.is_symlink() else path.read_bytes()
            for name, path in found.items() if path.is_symlink() or path.is_file()}  # fmt: skip


# --- the output is something else ------------------------------------------------------------------------


@pytest.fixture
def today(today):
    today.since = "15d"  # few leads: many stories
    return today


def to(output, batch):
    return replace(batch, config=replace(batch.config, output=str(output)))


def lay(today, name, content=b"mine"):
    (today.folder / name).write_bytes(content)


TAKEN = {
    "leads.csv": (lambda today: None, "is a file that leadscore.score did not write"),
    "events.csv": (lambda today: None, "is a file that leadscore.score did not write"),
    "notes.csv": (lambda today: lay(today, "notes.csv", b"user_id,as_of,probability\n"), "did not write"),
    "notes.parquet": (lambda today: lay(today, "notes.parquet"), "did not write"),
    "folder.csv": (lambda today: (today.folder / "folder.csv").mkdir(), "is a folder"),
    "link.csv": (lambda today: (today.folder / "link.csv").symlink_to("leads.csv"), "is a link, to .*leads.csv"),
    "away.csv": (lambda today: (today.folder / "away.csv").symlink_to("nowhere"), "is a link, to .*nowhere"),
    "a.csv": (lambda today: lay(today, "a.report.json", b"{}"), r"a\.report\.json is a file that .* did not write"),
    "b.csv": (lambda today: (today.folder / "b.report.json").mkdir(), r"b\.report\.json is a folder"),
    "no/folder/c.csv": (lambda today: None, r"no/folder does not exist; make it first"),
    "leads.csv/d.csv": (lambda today: None, r"leads\.csv is no folder"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_nothing_else_is_ever_written_over(name, today):
    make, said = TAKEN[name]
    shutil.copy(today.world / "leads.csv", today.folder)
    shutil.copy(today.world / "events.csv", today.folder)
    make(today)
    before = tree(today.folder)
    with pytest.raises(RecordError, match=said), writing(today.folder / name):
        pytest.fail("it was opened")
    assert tree(today.folder) == before


def test_an_output_that_is_something_else_is_refused_before_any_data_are_read(today):
    config = today.config(f"output={today.folder}/leads.csv")
    (today.folder / "leads.csv").write_text("not even a table")
    with pytest.raises(RecordError, match="did not write"):
        check(config)


def test_a_runs_own_files_are_not_written_over(today):
    before = tree(today.world / "delay")
    path = today.world / "delay" / "predictions.parquet"
    with pytest.raises(RecordError, match="did not write"), writing(path):
        pytest.fail("it was opened")
    assert tree(today.world / "delay") == before


def test_an_empty_file_and_an_earlier_score_file_are_replaced_and_no_report_is_shared(today):
    batch = prepare_batch(open_run(today.world / "delay"), today.config())
    for name in ("scores.csv", "other.parquet"):
        (today.folder / name).touch()
        for _ in range(2):
            write_scores(to(today.folder / name, batch))
        assert (today.folder / name).stat().st_size > 1_000
    before = tree(today.folder)
    with pytest.raises(RecordError, match=r"scores\.report\.json is the report of scores\.csv"):
        write_scores(to(today.folder / "scores.parquet", batch))
    assert tree(today.folder) == before


def test_clearing_up_takes_no_other_jobs_half_file(tmp_path):
    mine, other = tmp_path / ".*.csv.1.partial", tmp_path / ".scores.csv.1.partial"
    for path in (mine, other):
        path.write_text("half")
    with writing(tmp_path / "*.csv"):
        assert not mine.exists()
    assert other.exists()


ODD_IDS = [
    *("=1+1", "+cmd|' /C calc'!A0", "-2", "@SUM(A1)", "\ttab", "\uff1d1+1", "007", "1e5", "9007199254740993", "a,b"),
    *('q"uote', "two\nlines", "\rcr", "NA", "null", "nan", "True", "2025-01-01", "'quoted", "''", "\u202eRTL"),
    *("emoji\U0001f389", "x" * 10_000, "ends ", "\\n"),
]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_ids_come_back_as_they_were_and_none_is_a_formula(suffix, tmp_path):
    frame = pd.DataFrame({name: pd.Series([""] * len(ODD_IDS), dtype="str") for name in COLUMNS})
    frame = frame.assign(user_id=pd.Series(ODD_IDS, dtype="str"), probability=0.1 + 0.2, score=30.0)
    frame = frame.assign(**{name: pd.Timestamp("2025-07-01", tz="UTC") for name in ("as_of", "scored_at")})
    with writing(tmp_path / f"scores.{suffix}") as file:
        file.add(frame)
        file.publish({"run": "r", "run_identity": {}, "scored_at": ""})

    if suffix == "parquet":
        assert pd.read_parquet(tmp_path / "scores.parquet")["user_id"].tolist() == ODD_IDS
        return
    with (tmp_path / "scores.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [original(row["user_id"]) for row in rows] == ODD_IDS
    assert not [row["user_id"] for row in rows if row["user_id"][:1] in tuple("=+-@\t\r\uff1d")]
    assert {float(row["probability"]) for row in rows} == {0.1 + 0.2}


# --- a job that is killed, or that the disk refuses ---------------------------------------------------------

KILLED = """
import os, signal, sys
from leadscore import compose_score, open_run
from leadscore.scoring import output, prepare_batch, write_scores
at, run, conf, *overrides = sys.argv[1:]
real, calls = os.replace, 0
def replace(*names):
    global calls
    calls += 1
    if at == f"before name {calls}":
        os.kill(os.getpid(), signal.SIGKILL)
    real(*names)
output.os.replace = replace
add = output.ScoreFile.add
def killed(file, frame):
    add(file, frame.head(len(frame) // 2))
    os.kill(os.getpid(), signal.SIGKILL)
if at == "in the rows":
    output.ScoreFile.add = killed
write_scores(prepare_batch(open_run(run), compose_score(overrides, config_dir=conf)))
"""


def line(today, *overrides):
    today.config()
    where = ["data=exported", f"data.dir={today.folder}", "as_of=data_end", "since=15d", "drift.fail=null"]
    return [str(today.world / "delay"), str(today.world / "conf"), *where, f"output={today.output}", *overrides]


@pytest.mark.parametrize("at", ["in the rows", "before name 2"])
def test_a_killed_job_leaves_the_old_file_and_the_next_one_the_same_bytes(at, today):
    today.output = today.folder / "scores.csv"
    today.write("scored_at=2020-01-01")
    old = today.output.read_bytes()
    done = subprocess.run([sys.executable, "-c", KILLED, at, *line(today)], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    if at == "before name 2":  # the scores have their name, and their report, which names their sha256, not yet
        report = json.loads((today.folder / "scores.report.json").read_bytes())
        assert report["scored_at"].startswith("2020")
    else:
        assert today.output.read_bytes() == old
    batch, fresh = prepare_batch(open_run(today.world / "delay"), today.config()), today.folder / "fresh.csv"
    told = write_scores(batch)
    write_scores(to(fresh, batch))
    assert today.output.read_bytes() == fresh.read_bytes()
    assert json.loads((today.folder / "scores.report.json").read_bytes()) == told
    assert not list(today.folder.glob(".*partial"))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_disk_that_is_full_in_the_middle(suffix, today):
    output = today.folder / f"scores.{suffix}"
    batch = to(output, prepare_batch(open_run(today.world / "delay"), today.config()))
    write_scores(batch)
    before = tree(today.folder)
    batch = replace(batch, config=replace(batch.config, scored_at="2020-01-01T00:00:00Z"))
    limits, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
    try:
        with pytest.raises(RecordError, match=rf"scores\.{suffix} cannot be written: .*what stood there is untouched"):
            write_scores(batch)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert tree(today.folder) == before


def test_a_close_that_fails_leaves_no_half_file(tmp_path, monkeypatch):
    def fails(_):
        raise OSError(28, "No space left on device")

    file = ScoreFile(tmp_path / "scores.csv")
    file._sink.close()
    monkeypatch.setattr(type(file._sink), "close", fails)
    with pytest.raises(OSError, match="No space"):
        file.discard()
    assert not list(tmp_path.iterdir())


# --- who is open, and what was trained on ---------------------------------------------------------------------


@pytest.mark.parametrize("gone", [["closed_at"], ["status", "converted_at", "closed_at"]])
def test_customers_are_never_scored_because_a_column_is_gone(gone, today):
    scored = set(today.score()["user_id"])
    today.leads = today.leads.drop(columns=gone)
    with pytest.raises(DataError, match=f"has no {' and no '.join(gone)}, which it had when .*allow_missing_ends=true"):
        today.write()
    assert not today.output.exists()
    report = today.write("allow_missing_ends=true")
    assert gone[0] in report["allowed"]["allow_missing_ends"]
    if len(gone) == 3:
        assert set(pd.read_parquet(today.output)["user_id"]) > scored


def test_scores_of_leads_that_the_model_was_trained_on_are_said(today):
    assert not [said for said in today.write()["warnings"] if "was trained" in said]
    said = today.write("since=500d")["warnings"][0]
    assert "leads are scored at or before" in said
    assert "it may have seen how they ended" in said


# --- the model --------------------------------------------------------------------------------------------------


@pytest.fixture
def copied(today, tmp_path):
    """A copy of a run, to be edited, under a root of its own."""
    folder = tmp_path / "root" / "run"
    shutil.copytree(today.world / "delay", folder)
    return folder


def weighed_down(folder):
    """Halve what a model says, and make its manifest fit."""
    text = (folder / "model" / "lightgbm.json").read_text()
    (folder / "model" / "lightgbm.json").write_text(text.replace('"shift": 0.0', '"shift": 2.0'))
    forge(folder / "model")


def test_another_model_in_its_place_is_found_by_the_runs_identity(today, copied):
    weighed_down(copied)
    with pytest.raises(ModelError, match="holds another model than was recorded"):
        write_scores(prepare_batch(open_run(copied), today.config()))
    assert not today.output.exists()


def test_what_scores_as_champion_is_what_was_promoted(today, copied):
    root = copied.parent
    promote(open_run(copied), "first", root=root, force=True)
    write_scores(prepare_batch(open_run("champion", [root]), today.config()))
    weighed_down(copied)
    unrecorded(copied)
    write_scores(prepare_batch(open_run(copied), today.config()))  # nothing holds a run's own word against it
    with pytest.raises(ModelError, match="holds another model than was recorded"):
        write_scores(prepare_batch(open_run("champion", [root]), today.config()))


def test_a_rollback_goes_to_the_model_that_was_promoted(today, copied, monkeypatch):
    def unasked(*_, **__):
        raise RecordError("which is better is not the story")

    root = copied.parent
    monkeypatch.setattr(promotion, "judge", unasked)
    first = promote(open_run(copied), "first", root=root, force=True)
    promote(open_run(today.world / "weekly"), "second", root=root, force=True)
    assert rollback(root).model_sha256 == first.model_sha256 == open_run(copied).identity["model_sha256"]


@pytest.mark.parametrize("package", ["lightgbm"])
def test_another_major_version_is_refused_with_both_unless_allowed(package, today, copied):
    unrecorded(copied)
    versions = json.loads((copied / "model" / "manifest.json").read_bytes())["versions"]
    forge(copied / "model", versions={**versions, package: "99.1.0", "numpy": "0.1", "python": "2.7"})
    with pytest.raises(ModelError, match=rf"was saved by {package} 99\.1\.0 \(now {versions[package]}\): .*--parity"):
        write_scores(prepare_batch(open_run(copied), today.config()))
    assert not today.output.exists()
    report = write_scores(prepare_batch(open_run(copied), today.config("allow_other_versions=true")))
    assert f"{package} 99.1.0" in report["allowed"]["allow_other_versions"]


def test_a_minor_version_is_read_and_needs_no_word(today, copied):
    unrecorded(copied)
    versions = json.loads((copied / "model" / "manifest.json").read_bytes())["versions"]
    forge(copied / "model", versions={**versions, "lightgbm": f"{versions['lightgbm'].split('.')[0]}.0.1"})
    assert write_scores(prepare_batch(open_run(copied), today.config()))["allowed"] == {}


@pytest.mark.parametrize("path", [".", "identity.json", "model", "model/trees.txt"])
def test_what_every_user_may_write_does_not_score(path, today, copied):
    (copied / path).chmod(0o777)
    config = today.config()
    with pytest.raises(RecordError, match=r"every user of this machine may write .*chmod -R o-w .*allow_writable=true"):
        prepare_batch(open_run(copied), config)
    if path == ".":
        batch = prepare_batch(open_run(copied), replace(config, allow_writable=True))
        assert "every user" in write_scores(batch)["allowed"]["allow_writable"]


def test_no_umask_makes_a_model_or_a_record_everybodys(today, tmp_path):
    from leadscore.record.shelf import write_json

    before = os.umask(0)
    try:
        store.save_model(open_run(today.world / "delay").model, tmp_path / "model", {})
        write_json(tmp_path / "record.json", {})
    finally:
        os.umask(before)
    made = [tmp_path / "record.json", tmp_path / "model", *(tmp_path / "model").iterdir()]
    assert [path for path in made if path.stat().st_mode & 0o002] == []


def test_a_model_of_before_serving_says_so(today, copied):
    unrecorded(copied)
    (copied / "model" / "serving.json").unlink()
    forge(copied / "model")
    with pytest.raises(ModelError, match=r"has no serving\.json: .*saved without what scoring needs.*train it again"):
        write_scores(prepare_batch(open_run(copied), today.config()))
