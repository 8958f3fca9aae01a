"""The shelf and the log: whole or not there, one header, nothing lost; and finding a run again."""

import csv
import json
import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from leadscore.config.schema import TrackingConfig
from leadscore.errors import RecordError
from leadscore.record import COLUMNS, Shelf, append_row, make_tracker, open_run, read_rows
from leadscore.record.lines import read_json_rows
from leadscore.record.shelf import is_at_work


def row(**cells):
    return {"run_id": "20240301T000000-00000000", "status": "done", **cells}


def test_the_first_row_brings_the_header_and_later_rows_do_not(tmp_path):
    log = tmp_path / "outputs" / "experiments.csv"
    append_row(log, row(auc=0.75, notes="first"))
    append_row(log, row(auc=None, notes="second"))
    lines = log.read_text().splitlines()
    assert lines[0] == (
        "timestamp,config_hash,auc,precision_at_0_8_recall,notes,run_id,identity,status,model,features,validation_hash,metrics_json"
    )
    assert [each["notes"] for each in read_rows(log)] == ["first", "second"]
    assert [each["auc"] for each in read_rows(log)] == ["0.75", ""]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(notes=st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("'\\\n\r\"=,")))
def test_any_note_comes_back_as_it_was(tmp_path, notes):
    log = tmp_path / "log.csv"
    log.unlink(missing_ok=True)
    append_row(log, row(notes=notes))
    assert read_rows(log)[0]["notes"] == notes
    assert log.read_bytes().count(b"\n") == 2  # the header and one row, whatever it holds


@pytest.mark.parametrize("note", ["=HYPERLINK(1)", "+1", "-1", "@x", "\t=1", "\uff1d1", "'quoted", 'a "b", c\nd'])
def test_what_a_spreadsheet_would_run_is_defused_and_read_back_whole(tmp_path, note):
    log = tmp_path / "log.csv"
    append_row(log, row(notes=note, auc=-0.5))
    with log.open(newline="", encoding="utf-8") as file:
        (cells,) = csv.DictReader(file)
    assert not cells["notes"].startswith(("=", "+", "-", "@", "\t", "\uff1d"))
    assert cells["auc"] == "-0.5"  # a number stays a number
    assert read_rows(log)[0]["notes"] == note


def test_a_torn_last_line_is_set_aside_and_earlier_rows_stay(tmp_path):
    log = tmp_path / "log.csv"
    append_row(log, row(notes="whole"))
    before = log.read_bytes()
    log.write_bytes(before + b"2024-03-01,half a ro")
    append_row(log, row(notes="next"))
    assert log.read_bytes().startswith(before)
    assert [each["notes"] for each in read_rows(log)] == ["whole", "next"]
    assert (tmp_path / "log.csv.torn").read_bytes() == b"2024-03-01,half a ro\n"


def test_a_log_with_another_header_is_left_alone(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("run,auc\n1,0.5\n")
    with pytest.raises(RecordError, match="has another header"):
        append_row(log, row())
    assert log.read_text() == "run,auc\n1,0.5\n"


def test_a_log_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "outputs").write_text("a file where the folder should be")
    with pytest.raises(RecordError, match=r"cannot be written.*tracking.root decides"):
        append_row(tmp_path / "outputs" / "experiments.csv", row())


WRITER = """
import sys
from pathlib import Path
from leadscore.record import append_row

log, writer, rows, size = sys.argv[1:]
for n in range(int(rows)):
    append_row(Path(log), {"run_id": f"{writer}-{n}", "notes": f"{n}\\n" + "x" * int(size), "metrics_json": "{}"})
"""


@pytest.mark.parametrize(
    ("writers", "rows", "size"), [(4, 25, 5_000), pytest.param(16, 200, 20_000, marks=pytest.mark.slow)]
)
def test_many_writers_lose_nothing_and_a_reader_sees_whole_rows_only(tmp_path, caplog, writers, rows, size):
    log = tmp_path / "log.csv"
    lines = [[sys.executable, "-c", WRITER, str(log), str(writer), str(rows), str(size)] for writer in range(writers)]
    processes = [subprocess.Popen(line) for line in lines]
    looks = 0
    while any(process.poll() is None for process in processes):
        seen = read_rows(log)
        looks += 1
        assert all(len(each["notes"]) > size and each["metrics_json"] == "{}" for each in seen)
    assert [process.returncode for process in processes] == [0] * writers
    assert looks > 10
    assert caplog.text == ""
    written = sorted(each["run_id"] for each in read_rows(log))
    assert written == sorted(f"{writer}-{n}" for writer in range(writers) for n in range(rows))
    assert log.read_bytes().count(b"timestamp,config_hash") == 1
    assert not (tmp_path / "log.csv.torn").exists()


def identity(run_id, **more):
    return {"run_id": run_id, "config_hash": "e" * 64, "identity": run_id[-8:] * 8, **more}


@pytest.fixture
def three_runs(tmp_path):
    """Two runs of one config and one of another, under outputs/ and multirun/."""
    Shelf(tmp_path / "outputs" / "a", identity("20240301T000000-aaaaaaaa"))
    Shelf(tmp_path / "multirun" / "b" / "0", identity("20240302T000000-bbbbbbbb"))
    Shelf(tmp_path / "outputs" / "c", identity("20240303T000000-cccccccc", config_hash="d" * 64))
    return [tmp_path / "outputs", tmp_path / "multirun"]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("latest", "cccccccc"),
        ("latest~2", "aaaaaaaa"),
        ("20240302", "bbbbbbbb"),
        ("aaaaaaaaaaaa", "aaaaaaaa"),
        ("cccccccc", "cccccccc"),  # an identity is asked before a config_hash
        ("dddd", "cccccccc"),
    ],
)
def test_a_run_is_found_by_any_of_its_names(three_runs, name, found):
    assert open_run(name, three_runs).run_id.endswith(found)


def test_of_several_runs_of_one_config_the_latest_is_opened(three_runs):
    assert open_run("e" * 12, three_runs).run_id.endswith("bbbbbbbb")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("2024", "'2024' is ambiguous: 3 values of run_id start with it"),
        ("latest~3", "only 3 runs lie under"),
        ("zzzz", "no run under .* is named 'zzzz'"),
        ("", "no run under .* is named ''"),
    ],
)
def test_a_name_that_finds_no_single_run_says_why(three_runs, name, said):
    with pytest.raises(RecordError, match=said):
        open_run(name, three_runs)


def test_an_empty_root_says_so(tmp_path):
    with pytest.raises(RecordError, match="no run lies under"):
        open_run("latest", [tmp_path])


def test_a_folder_belongs_to_one_run(tmp_path):
    Shelf(tmp_path / "run", identity("20240301T000000-aaaaaaaa"))
    with pytest.raises(RecordError, match="holds a run already"):
        Shelf(tmp_path / "run", identity("20240302T000000-bbbbbbbb"))
    assert open_run(tmp_path / "run").run_id.endswith("aaaaaaaa")


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    Shelf(tmp_path / "run", identity("20240301T000000-aaaaaaaa"))
    with pytest.raises(RecordError, match=r"has no metrics.json in .*: it did not get that far"):
        _ = open_run(tmp_path / "run").metrics


def test_files_are_replaced_whole(tmp_path):
    shelf = Shelf(tmp_path / "run", identity("20240301T000000-aaaaaaaa"))
    shelf.json("metrics.json", {"auc": 0.7})
    with pytest.raises(ValueError, match="Out of range float"):
        shelf.json("metrics.json", {"auc": float("nan")})
    assert json.loads((tmp_path / "run" / "metrics.json").read_text()) == {"auc": 0.7}
    shelf.parquet("predictions.parquet", pd.DataFrame({"a": [1]}))
    shelf.close()
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "identity.json",
        "metrics.json",
        "predictions.parquet",
    ]


def test_tracking_none_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert make_tracker(TrackingConfig(name="none")).record(row(), tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_tracker_is_named():
    with pytest.raises(RecordError, match=r"tracking=cvs: unknown tracker. Did you mean 'csv'\?"):
        make_tracker(TrackingConfig(name="cvs"))


def test_the_header_is_the_contract():
    assert len(COLUMNS) == 12


def test_a_whole_row_that_an_editor_left_without_its_newline_stays(tmp_path):
    log = tmp_path / "log.csv"
    append_row(log, row(notes="first", metrics_json='{"n": 1}'))
    log.write_bytes(log.read_bytes().rstrip(b"\n"))
    append_row(log, row(notes="second"))
    assert [each["notes"] for each in read_rows(log)] == ["first", "second"]
    assert not (tmp_path / "log.csv.torn").exists()


def test_a_foreign_log_stays_byte_for_byte_also_without_a_last_newline(tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("name,score\nmine,1")
    with pytest.raises(RecordError, match="has another header"):
        append_row(log, row())
    assert log.read_text() == "name,score\nmine,1"


def test_one_damaged_folder_does_not_hide_the_others(three_runs, caplog):
    (three_runs[0] / "a" / "identity.json").write_text("{ torn")
    assert open_run("latest", three_runs).run_id.endswith("cccccccc")
    assert "passed over" in caplog.text


def test_a_header_torn_by_a_killed_writer_is_mended(tmp_path):
    log = tmp_path / "log.csv"
    log.write_bytes(b"timestamp,config_ha")
    append_row(log, row(notes="next"))
    assert [each["notes"] for each in read_rows(log)] == ["next"]
    assert (tmp_path / "log.csv.torn").read_bytes() == b"timestamp,config_ha\n"


WHOLE = row(
    notes="two\nlines, 'quoted'", metrics_json='{"n": 1, "reasons": {"auc": "one \\"class\\" only"}, "checks": {}}'
)


def test_wherever_a_row_was_torn_the_next_one_is_clean(tmp_path):
    log = tmp_path / "log.csv"
    append_row(log, row(notes="first", metrics_json="{}"))
    before = log.read_bytes()
    append_row(log, WHOLE)
    torn = log.read_bytes()[len(before) :]
    for length in range(1, len(torn)):
        log.write_bytes(before + torn[:length])
        found = 2 if length == len(torn) - 1 else 1  # all but its newline is all of it
        assert len(read_rows(log)) == found
        append_row(log, row(notes="next", metrics_json="{}"))
        assert log.read_bytes().startswith(before)
        assert [each["notes"] for each in read_rows(log)] == ["first", *[WHOLE["notes"]] * (found - 1), "next"], length


def test_a_cell_of_any_length_is_read_back(tmp_path):
    log = tmp_path / "log.csv"
    append_row(log, row(notes="x" * 1_000_000, metrics_json="{}"))
    log.write_bytes(log.read_bytes()[:-1])
    append_row(log, row(notes="next"))
    assert [len(each["notes"]) for each in read_rows(log)] == [1_000_000, 4]


def test_a_damaged_row_is_passed_over_and_the_others_are_told(tmp_path, caplog):
    log = tmp_path / "log.csv"
    append_row(log, row(notes="first"))
    with log.open("a") as file:
        file.write("an,editor,was here\n" + "," * 20 + "\n")
    append_row(log, row(notes="last"))
    assert [each["notes"] for each in read_rows(log)] == ["first", "last"]
    assert "2 damaged rows were passed over; leadscore runs rebuild" in caplog.text


def test_text_that_is_no_unicode_costs_no_row(tmp_path):
    log = tmp_path / "log.csv"
    append_row(log, row(notes="caf\udce9"))
    assert read_rows(log)[0]["notes"] == "caf\\udce9"


def test_a_run_at_work_marks_its_folder_until_it_closes_or_dies(tmp_path):
    shelf = Shelf(tmp_path / "run", identity("20240301T000000-aaaaaaaa"))
    assert is_at_work(tmp_path / "run")
    shelf.close()
    assert not is_at_work(tmp_path / "run")
    code = "import os, sys; from pathlib import Path; from leadscore.record import Shelf\n"
    code += "shelf = Shelf(Path(sys.argv[1]), {'run_id': 'x'}); os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "killed")], check=False)
    assert (tmp_path / "killed" / ".running").exists()
    assert not is_at_work(tmp_path / "killed")


def test_a_row_in_the_making_is_no_damage(tmp_path, caplog):
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"n": 1}\n{"n": 2')
    assert read_json_rows(path) == [{"n": 1}]
    assert caplog.text == ""
    path.write_bytes(b'{"n": 1\n{"n": 2}')
    assert read_json_rows(path) == [{"n": 2}]
    assert "line 1 is damaged" in caplog.text


def test_reading_the_log_leaves_the_processs_own_limit_for_cells(tmp_path):
    log = tmp_path / "experiments.csv"
    before = csv.field_size_limit()
    append_row(log, {"run_id": "a", "notes": "n" * 200_000, "metrics_json": "{}"})
    assert read_rows(log)[0]["notes"] == "n" * 200_000
    assert csv.field_size_limit() == before
