"""`leadscore runs`: the log as a table, made anew from the folders, and old folders deleted."""

import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from leadscore.errors import RecordError
from leadscore.pipeline import compose, run
from leadscore.record import Shelf, append_row, read_rows
from leadscore.record.find import all_runs
from leadscore.record.log import cells_of, content_of
from leadscore.record.prune import protected_runs
from leadscore.verbs import main

SMALL = ["data.n_leads=500", "report=false", "audit=off"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Three runs, the second of them failed, the third under another root as a sweep's is."""
    home = tmp_path_factory.mktemp("shelf")
    root = f"tracking.root={home / 'outputs'}"
    run(compose([*SMALL, root, "notes='=1+1'"]), home / "outputs" / "first")
    with pytest.raises(Exception, match="no observation is left"):
        run(compose([*SMALL, root, "window.horizon=600d"]), home / "outputs" / "second")
    run(compose([*SMALL, root, "features=+sessions", "model=baseline"]), home / "multirun" / "0")
    run(compose([*SMALL, root, "tracking=none"]), home / "outputs" / "untracked")
    return home


@pytest.fixture
def home(trained, tmp_path, monkeypatch):
    """A copy of the three runs, in which one stands."""
    shutil.copytree(trained, tmp_path / "home")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def answer(capsys, *line):
    assert main(list(line)) == 0
    return capsys.readouterr().out


def rows_of(capsys, *line):
    return json.loads(answer(capsys, "runs", *line, "--json"))


def identity(name, status="done", age=timedelta(0), **more):
    started = datetime.now(UTC) - age
    return {"run_id": name, "status": status, "started": started.isoformat(), "config_hash": "e" * 64, **more}


def leave(folder, **as_identity):
    """A run's folder with nothing but its name in it."""
    Shelf(folder, identity(folder.name, **as_identity)).close()


# The table


def test_the_table_says_once_what_all_runs_have_in_common(home, capsys):
    said = answer(capsys, "runs", "--where", "model=logistic")
    assert said.startswith("all: model logistic, features base\n")
    lines = said.splitlines()
    assert lines[2].split() == ["run", "ended", "status", "auc", "precision", "checks", "config", "identity", "notes"]
    assert "failed" in lines[3]
    assert lines[4].endswith("=1+1")
    assert lines[-1] == "2 runs"


def test_what_is_better_comes_first_and_what_is_missing_last(home, capsys):
    by_auc = [row["auc"] for row in rows_of(capsys, "--sort-by", "auc")]
    assert by_auc[0] > by_auc[1]
    assert by_auc[2] is None
    brier = [row["metrics"].get("brier") for row in rows_of(capsys, "--sort-by", "brier")]
    assert brier[0] < brier[1]
    assert brier[2] is None
    worst = [row["auc"] for row in rows_of(capsys, "--sort-by", "auc", "--ascending")]
    assert worst == [by_auc[1], by_auc[0], None]


def test_of_a_metric_whose_best_is_zero_the_nearest_comes_first(tmp_path, capsys):
    for name, value in {"over": 0.3, "under": -0.2, "far under": -0.5, "none": None}.items():
        measured = json.dumps({"calibration_in_the_large": value})
        append_row(tmp_path / "experiments.csv", {"run_id": name, "metrics_json": measured})
    line = ["--root", str(tmp_path), "--sort-by", "calibration_in_the_large"]
    assert [row["run_id"] for row in rows_of(capsys, *line)] == ["under", "over", "far under", "none"]
    assert [row["run_id"] for row in rows_of(capsys, *line, "--ascending")] == ["far under", "under", "over", "none"]


def test_a_row_has_the_time_at_which_its_run_ended(home):
    for row in read_rows(home / "outputs" / "experiments.csv"):
        (told,) = [each.identity for each in all_runs([home]) if each.run_id == row["run_id"]]
        assert row["timestamp"][:19] == told["ended"][:19]
        assert told["started"] < told["ended"]


def test_the_latest_run_comes_first(home, capsys):
    assert [row["model"] for row in rows_of(capsys)] == ["baseline", "logistic", "logistic"]
    assert [row["model"] for row in rows_of(capsys, "--ascending")] == ["logistic", "logistic", "baseline"]
    assert [row["model"] for row in rows_of(capsys, "--limit", "1")] == ["baseline"]


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        (["status=failed"], 1),
        (["status!=failed"], 2),
        (["auc>=0.0"], 2),
        (["auc="], 1),
        (["auc!="], 2),
        (["model=logistic", "status=done"], 1),
        (["notes==1+1"], 1),
        (["features=base+sessions"], 1),
        (["timestamp>2020-01-01"], 3),
        (["n>0"], 2),
        (["checks.note>=1"], 2),
        (["run_id=2"], 3),
    ],
)
def test_rows_are_chosen_by_what_is_in_them(home, capsys, conditions, found):
    assert len(rows_of(capsys, *(part for each in conditions for part in ("--where", each)))) == found


def test_a_short_hash_from_the_table_names_its_run(home, capsys):
    row = rows_of(capsys)[0]
    assert rows_of(capsys, "--where", f"config_hash={row['config_hash'][:8]}") == [row]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["--where", "acu=1"], "--where acu: no run has it. Did you mean 'auc'? Columns: auc,"),
        (["--sort-by", "bier"], "Did you mean 'brier'?"),
        (["--where", "auc>=good"], "'good' is no number"),
        (["--where", "model>b"], "model is text; compare it by = or !="),
        (["--where", "auc"], "--where auc: write NAME=VALUE"),
        (["--limit", "-1"], "--limit -1: a number of runs"),
        (["--root", "elsewhere"], "no experiments.csv lies in elsewhere"),
    ],
)
def test_what_cannot_be_asked_is_said(home, capsys, line, said):
    assert main(["runs", *line]) == 1
    assert said in capsys.readouterr().err


def test_csv_is_the_log_itself_and_json_has_the_text_as_it_was_given(home, capsys):
    said = answer(capsys, "runs", "--csv", "--ascending")
    assert said.encode() == (home / "outputs" / "experiments.csv").read_bytes()
    assert [row["notes"] for row in csv.DictReader(io.StringIO(said))] == ["'=1+1", "", ""]
    assert [row["notes"] for row in rows_of(capsys, "--ascending")] == ["=1+1", None, None]


def test_markdown_is_a_table(home, capsys):
    lines = answer(capsys, "runs", "--md").splitlines()
    assert lines[0].startswith("| run | ended | model |")
    assert set(lines[1]) == {"|", "-"}
    assert len(lines) == 7


def test_a_note_cannot_steer_the_terminal_or_break_the_table(tmp_path, capsys):
    for note in ("\x1b[31mred\ntwo", "x" * 60, "日本語"):
        append_row(tmp_path / "experiments.csv", {"run_id": f"r{len(note)}", "notes": note, "status": "done"})
    said = answer(capsys, "runs", "--root", str(tmp_path))
    assert "\x1b" not in said
    assert "[31mred two" in said
    assert f"{'x' * 37}..." in said


def test_a_run_that_two_logs_list_is_told_once(tmp_path, capsys):
    for root, names in (("a", ("r1", "r2")), ("b", ("r2", "r3"))):
        for name in names:
            append_row(tmp_path / root / "experiments.csv", {"run_id": name, "timestamp": f"2024-03-0{name[1]}"})
    roots = [part for root in "ab" for part in ("--root", str(tmp_path / root))]
    assert [row["run_id"] for row in rows_of(capsys, *roots)] == ["r3", "r2", "r1"]


def test_the_group_lists_its_verbs_and_its_name_alone_lists_runs(home, capsys):
    with pytest.raises(SystemExit):
        main(["runs", "--help"])
    said = capsys.readouterr().out
    for verb in ("list", "rebuild", "prune", "--sort-by"):
        assert verb in said
    assert answer(capsys, "runs") == answer(capsys, "runs", "list")
    with pytest.raises(SystemExit):
        main(["runs", "prnue", "--keep", "3"])
    assert "Did you mean 'prune'?" in capsys.readouterr().err
    with pytest.raises(SystemExit):  # no option is dropped in silence
        main(["runs", "--root", "elsewhere", "prune"])
    assert "'prune' is one word too many" in capsys.readouterr().err


def test_100_000_rows_are_listed_while_one_waits(tmp_path, command):
    row = {"run_id": "r", "status": "done", "auc": 0.7, "model": "lightgbm", "notes": "a note"}
    measured = json.dumps({f"metric_{n}": n / 7 for n in range(12)})
    cells = cells_of({**row, "timestamp": "2024-03-01T00:00:00+00:00", "metrics_json": measured})
    (tmp_path / "outputs").mkdir()
    (tmp_path / "outputs" / "experiments.csv").write_bytes(
        content_of([*cells[:5], f"r{n}", *cells[6:]] for n in range(100_000))
    )
    started = time.perf_counter()
    done = command("runs", "--limit", "20", module="leadscore")
    assert "20 runs of 100,000" in done.stdout
    assert time.perf_counter() - started < 8  # 0.7 s on a quiet machine; here others may be at work


# The log, made anew


def test_a_lost_log_comes_back_byte_for_byte(home, capsys):
    log = home / "outputs" / "experiments.csv"
    before = log.read_bytes()
    assert len(read_rows(log)) == 3
    log.unlink()
    said = json.loads(answer(capsys, "runs", "rebuild", "--json"))
    assert log.read_bytes() == before
    assert (said["rows"], said["added"], said["before"]) == (3, 3, None)
    assert answer(capsys, "runs", "rebuild") == "outputs/experiments.csv: 3 rows\n"
    assert not list(home.glob("outputs/*.before-*"))  # nothing changed, so nothing is kept aside


def test_the_old_log_is_kept_and_its_rows_without_a_folder_too(home, capsys):
    log = home / "outputs" / "experiments.csv"
    append_row(log, {"run_id": "gone", "notes": "its folder was pruned", "status": "done", "metrics_json": "{}"})
    damaged = log.read_bytes().replace(b"baseline", b"basline")
    log.write_bytes(damaged)
    said = answer(capsys, "runs", "rebuild")
    assert "changed         1" in said
    assert "without folder  1 kept as they were" in said
    (aside,) = home.glob("outputs/experiments.csv.before-*")
    assert aside.read_bytes() == damaged
    assert sorted(row["model"] for row in read_rows(log)) == ["", "baseline", "logistic", "logistic"]
    assert "dropped  1" in answer(capsys, "runs", "rebuild", "--drop-missing")
    assert len(read_rows(log)) == 3


def test_a_killed_run_is_listed_as_interrupted_and_its_folder_stays_as_it_was(home, capsys):
    leave(home / "outputs" / "killed", status="running")
    before = (home / "outputs" / "killed" / "identity.json").read_bytes()
    assert "interrupted  1 ('killed')" in answer(capsys, "runs", "rebuild")
    assert read_rows(home / "outputs" / "experiments.csv")[-1]["status"] == "interrupted"
    assert (home / "outputs" / "killed" / "identity.json").read_bytes() == before


def test_a_run_at_work_is_left_to_write_its_own_row(home, capsys):
    shelf = Shelf(home / "outputs" / "busy", identity("busy", status="running"))
    assert "at work  1, left to write their own rows" in answer(capsys, "runs", "rebuild")
    assert len(read_rows(home / "outputs" / "experiments.csv")) == 3
    append_row(home / "outputs" / "experiments.csv", {"run_id": "busy", "status": "done", "metrics_json": "{}"})
    answer(capsys, "runs", "rebuild", "--drop-missing")  # its row is there, and it is drawing its report
    assert len(read_rows(home / "outputs" / "experiments.csv")) == 4
    shelf.close()


@pytest.mark.parametrize("damage", ["{ torn", "[]", '{"run_id": "first", "status": "done"}'])
def test_one_damaged_folder_does_not_hide_the_others(home, capsys, damage):
    (home / "outputs" / "first" / ("identity.json" if damage[0] == "{" else "metrics.json")).write_text(damage)
    if damage.endswith("}"):
        (home / "outputs" / "first" / "checks.json").write_text("{}")
    assert main(["runs", "rebuild", "--drop-missing"]) == 1
    said = capsys.readouterr().out
    assert "damaged" in said
    assert "nothing was dropped" in said
    assert len(read_rows(home / "outputs" / "experiments.csv")) == 3


def test_another_programs_log_is_left_alone(home, capsys):
    (home / "outputs" / "experiments.csv").write_text("mine,yours\n1,2\n")
    assert main(["runs", "rebuild"]) == 1
    assert "has another header" in capsys.readouterr().err
    assert (home / "outputs" / "experiments.csv").read_text() == "mine,yours\n1,2\n"


def test_a_log_is_made_only_where_runs_lie(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["runs", "rebuild", "--root", "otputs"]) == 1
    assert "there is no folder otputs" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# Old folders


@pytest.fixture
def old(tmp_path, monkeypatch):
    """Five folders: two failed, one killed, two done; the last is an hour old, each other 100 days older."""
    monkeypatch.chdir(tmp_path)
    for number, status in enumerate(["failed", "done", "running", "failed", "done"]):
        leave(tmp_path / "outputs" / f"r{number}", status=status, age=timedelta(days=100 * (4 - number), hours=1))
    return tmp_path / "outputs"


def names(root):
    return sorted(path.name for path in root.iterdir())


def test_nothing_is_deleted_unless_one_says_so(old, capsys):
    said = answer(capsys, "runs", "prune", "--keep", "1")
    assert "would delete 4 runs" in said
    assert "nothing is deleted without --yes" in said
    assert names(old) == ["r0", "r1", "r2", "r3", "r4"]
    assert "deleted 4 runs" in answer(capsys, "runs", "prune", "--keep", "1", "--yes")
    assert names(old) == ["r4"]


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        (["--status", "failed"], ["r1", "r2", "r4"]),
        (["--status", "failed", "--keep", "1"], ["r1", "r2", "r3", "r4"]),
        (["--status", "failed", "--status", "interrupted"], ["r1", "r4"]),
        (["--older-than", "250d"], ["r2", "r3", "r4"]),
        (["--older-than", "250d", "--keep", "4"], ["r1", "r2", "r3", "r4"]),
        (["--keep", "0"], []),
    ],
)
def test_a_run_goes_when_every_rule_lets_it_go(old, capsys, rules, left):
    answer(capsys, "runs", "prune", *rules, "--yes")
    assert names(old) == left


def test_the_champion_and_its_history_stay(old, capsys):
    (old / "champion.jsonl").write_text('{"run_id": "r0"}\n{"run_id": "r3"}\n')
    assert protected_runs(old) == {"r0", "r3"}
    said = answer(capsys, "runs", "prune", "--keep", "0", "--yes")
    assert said.count("stays: it is or was champion") == 2
    assert names(old) == ["champion.jsonl", "r0", "r3"]


def test_a_champion_of_another_root_stays_too(old, tmp_path, capsys):
    leave(tmp_path / "multirun" / "0")
    (tmp_path / "multirun" / "0" / "config.yaml").write_text("tracking: {name: csv, root: outputs}\n")
    (old / "champion.jsonl").write_text('{"run_id": "0"}\n')
    answer(capsys, "runs", "prune", "--keep", "0", "--yes", "--root", "multirun")
    assert names(tmp_path / "multirun") == ["0"]


def test_with_a_damaged_history_nothing_is_deleted(old, capsys):
    (old / "champion.jsonl").write_text('{"run_id": "r0"}\n{"run_id": "r')
    assert main(["runs", "prune", "--keep", "0", "--yes"]) == 1
    assert "1 of 2 lines cannot be read" in capsys.readouterr().err
    assert len(names(old)) == 6
    with pytest.raises(RecordError):
        protected_runs(old)


def test_a_run_at_work_stays(old, capsys):
    shelf = Shelf(old / "busy", identity("busy", status="running", age=timedelta(days=900)))
    answer(capsys, "runs", "prune", "--keep", "0", "--yes")
    assert names(old) == ["busy"]
    shelf.close()


def test_nothing_outside_the_roots_is_touched(old, tmp_path, capsys):
    leave(tmp_path / "home" / "r9", status="failed")
    (old / "link").symlink_to(tmp_path / "home" / "r9")
    (old / "r0" / "away").symlink_to(tmp_path / "home")
    answer(capsys, "runs", "prune", "--keep", "0", "--yes")
    assert names(old) == ["link"]
    assert names(tmp_path / "home" / "r9") == ["identity.json"]


def test_a_folder_that_holds_another_run_or_a_root_stays(old, tmp_path, capsys):
    leave(old / "r0" / "inner")
    (old / "champion.jsonl").write_text('{"run_id": "inner"}\n')
    shutil.copy(old / "r1" / "identity.json", old / "identity.json")  # a run whose folder is the root
    said = answer(capsys, "runs", "prune", "--keep", "0", "--yes")
    assert said.count("stays: another run, or a whole root, lies in its folder") == 2
    assert names(old) == ["champion.jsonl", "identity.json", "r0"]


def test_rows_and_ledger_outlive_their_folders(home, capsys):
    kept = {name: (home / "outputs" / name).read_bytes() for name in ("experiments.csv", "ledger.jsonl")}
    answer(capsys, "runs", "prune", "--keep", "0", "--yes")
    assert {name: (home / "outputs" / name).read_bytes() for name in kept} == kept
    answer(capsys, "runs", "rebuild")
    assert (home / "outputs" / "experiments.csv").read_bytes() == kept["experiments.csv"]


def test_a_half_deleted_run_is_in_no_list_and_goes_with_the_next_pruning(old, capsys, monkeypatch):
    def killed(folder):
        raise KeyboardInterrupt

    monkeypatch.setattr(shutil, "rmtree", killed)
    assert main(["runs", "prune", "--older-than", "350d", "--yes"]) == 130
    monkeypatch.undo()
    monkeypatch.chdir(old.parent)
    (hidden,) = [name for name in names(old) if name.startswith(".pruned-r0-")]
    assert (old / hidden / "identity.json").exists()
    assert "r0" not in answer(capsys, "runs", "prune", "--keep", "0", "--json")
    answer(capsys, "runs", "prune", "--older-than", "350d", "--yes")
    assert hidden not in names(old)


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ([], "of what? --keep N, --older-than 90d or --status failed"),
        (["--keep", "-1"], "--keep -1: a number of runs"),
        (["--older-than", "90"], "--older-than: '90' is not a duration"),
    ],
)
def test_rules_that_say_nothing_delete_nothing(old, capsys, rules, said):
    assert main(["runs", "prune", "--yes", *rules]) == 1
    assert said in capsys.readouterr().err
    assert len(names(old)) == 5


# Stopped runs


# Python that was interrupted in an exec() dies of the signal itself, which a shell tells as 130 too.
@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, {143}), (signal.SIGINT, {130, -signal.SIGINT})])
def test_a_stopped_command_leaves_a_cancelled_run_and_its_row(tmp_path, number, status):
    line = [sys.executable, "-m", "leadscore.train", "data.n_leads=30000"]
    said_to = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # A shell lets what it starts in the background ignore interrupts, and so would these tests' own children.
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(line, cwd=tmp_path, preexec_fn=heard, **said_to)  # noqa: PLW1509
    deadline = time.monotonic() + 60
    # By then most modules are there: Python itself drops an interrupt that comes while it lets go of an import's lock.
    while not list(tmp_path.glob("outputs/*/*/data.json")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode in status, said
    assert "Traceback" not in said
    assert said.startswith("leadscore: stopped by ")
    (row,) = read_rows(tmp_path / "outputs" / "experiments.csv")
    assert row["status"] == "cancelled"
    (folder,) = [path.parent for path in tmp_path.rglob("identity.json")]
    told = json.loads((folder / "identity.json").read_text())
    assert (told["status"], told["run_id"]) == ("cancelled", row["run_id"])
    assert told["error"] == json.loads(row["metrics_json"])["error"]
    assert not os.path.exists(Path(folder, ".running"))
