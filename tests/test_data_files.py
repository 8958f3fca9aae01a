"""Files: what is read as text, and each way in which a file is broken, told apart in words."""

import gzip
import os
import threading
from pathlib import Path

import pandas as pd
import pytest
from conftest import utc
from written_tables import EVENTS, LEADS, read, refused

from leadscore.data import csv_file
from leadscore.tables import Tables


def same(one: Tables, other: Tables) -> None:
    pd.testing.assert_frame_equal(one.leads, other.leads)
    pd.testing.assert_frame_equal(one.events, other.events)
    assert one.data_end == other.data_end


def as_parquet(text: str, path: Path) -> None:
    frame = pd.DataFrame([line.split(",") for line in text.splitlines()[1:]], columns=text.splitlines()[0].split(","))
    for name in ("created_at", "timestamp"):
        if name in frame:
            frame[name] = utc(*frame[name]).dt.as_unit("ns")
    frame.to_parquet(path)


# --- happy paths --------------------------------------------------------------------------------------


def test_two_small_tables_are_typed(tmp_path: Path) -> None:
    tables = read(tmp_path, LEADS, EVENTS)

    expected = pd.DataFrame({"user_id": ["a", "b"], "created_at": utc("2024-03-01T09:00Z", "2024-03-02T09:00Z")})
    pd.testing.assert_frame_equal(tables.leads, expected)
    assert [str(dtype) for dtype in tables.events.dtypes] == ["str", "datetime64[us, UTC]", "str"]
    assert tables.counts == {"leads read": 2, "events read": 2, "leads": 2, "events": 2}


def test_csv_gzip_parquet_folder_and_glob_give_equal_tables(tmp_path: Path) -> None:
    plain = read(tmp_path, LEADS, EVENTS)
    (tmp_path / "events.csv.gz").write_bytes(gzip.compress(EVENTS.encode()))
    as_parquet(EVENTS, tmp_path / "events.parquet")
    (tmp_path / "parts").mkdir()
    header, first, second = EVENTS.splitlines()
    (tmp_path / "parts" / "2.csv").write_text(f"{header}\n{second}\n")
    (tmp_path / "parts" / "1.csv").write_text(f"{header}\n{first}\n")
    (tmp_path / "parts" / "_SUCCESS").touch()

    for path in ("events.csv.gz", "events.parquet", "parts", "parts/*.csv"):
        same(plain, read(tmp_path, LEADS, Path(path)))


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    plain = read(tmp_path, LEADS, EVENTS)

    same(plain, read(tmp_path, b"\xef\xbb\xbf" + LEADS.replace("\n", "\r\n").encode(), EVENTS.replace("\n", "\r\n")))


def test_a_stated_encoding_and_separator_are_used(tmp_path: Path) -> None:
    leads = "user_id;created_at;city\na;2024-03-01T09:00Z;Zürich\n".encode("latin-1")

    settings = {"leads_encoding": "latin-1", "leads_separator": ";", "known_at_creation": {"city": "category"}}
    assert read(tmp_path, leads, **settings).leads["city"].tolist() == ["Zürich"]
    utf_16 = leads.decode("latin-1").encode("utf-16")
    assert read(tmp_path, utf_16, **settings | {"leads_encoding": "utf-16"}).leads["city"].tolist() == ["Zürich"]


def test_columns_that_nobody_mapped_never_enter_and_are_named(tmp_path: Path) -> None:
    tables = read(tmp_path, "user_id,created_at,salary,salary\na,2024-03-01T09:00Z,1,2\n")

    assert tables.leads.columns.tolist() == ["user_id", "created_at"]
    assert "leads.csv: 1 column is not used: salary." in tables.notes


# --- which file ---------------------------------------------------------------------------------------


def test_absent_empty_and_header_only_are_three_different_messages(tmp_path: Path) -> None:
    (tmp_path / "leads.csv").write_text(LEADS)
    absent = refused(tmp_path, Path("leeds.csv"))
    empty = refused(tmp_path, "")
    header = refused(tmp_path, "user_id,created_at\n")

    assert "leeds.csv does not exist. Did you mean 'leads.csv'?" in absent
    assert empty == "leads.csv is empty (0 bytes): not even a header is in it"
    assert header == "leads.csv has a header and no rows"
    assert "neither does its folder; data.dir decides" in refused(tmp_path, Path("nowhere/leads.csv"))


def test_both_tables_broken_are_told_at_once(tmp_path: Path) -> None:
    message = refused(tmp_path, "", "user_id,timestamp,event_type\n")

    assert message.startswith("2 problems:")
    assert "leads.csv is empty" in message
    assert "events.csv has a header and no rows" in message


def test_folders_and_globs_without_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()

    assert "is a folder without files" in refused(tmp_path, Path("parts"))
    assert "no file matches" in refused(tmp_path, Path("part-*.csv"))


def test_files_of_two_kinds_or_of_no_kind_are_refused(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "a.csv").write_text(LEADS)
    as_parquet(LEADS, parts / "b.parquet")
    assert "holds CSV and Parquet files ('a.csv', 'b.parquet')" in refused(tmp_path, Path("parts"))

    (parts / "b.parquet").rename(parts / "b.xlsx")
    assert "b.xlsx is of no kind that is read (.csv, .csv.gz, .parquet)" in refused(tmp_path, Path("parts"))
    assert len(read(tmp_path, Path("parts/*.csv")).leads) == 2


def test_a_pipe_a_symlink_loop_and_a_folder_in_a_folder_never_hang(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    release = threading.Timer(5, lambda: os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)))  # who waits, fails
    release.start()
    (tmp_path / "loop.csv").symlink_to(tmp_path / "loop.csv")
    (tmp_path / "parts" / "deeper").mkdir(parents=True)

    assert "pipe.csv is not a regular file" in refused(tmp_path, Path("pipe.csv"))
    release.cancel()
    assert "symbolic link" in refused(tmp_path, Path("loop.csv"))
    assert "deeper is a folder inside the table's folder" in refused(tmp_path, Path("parts"))


# --- broken content -----------------------------------------------------------------------------------


def test_a_cut_gzip_and_a_cut_parquet_are_called_truncated(tmp_path: Path) -> None:
    whole = gzip.compress(LEADS.encode() * 50)
    (tmp_path / "leads.csv.gz").write_bytes(whole[: len(whole) // 2])
    as_parquet(LEADS, tmp_path / "leads.parquet")
    (tmp_path / "leads.parquet").write_bytes((tmp_path / "leads.parquet").read_bytes()[:-20])
    (tmp_path / "text.csv.gz").write_text(LEADS)

    assert "leads.csv.gz is truncated: its gzip data end early" in refused(tmp_path, Path("leads.csv.gz"))
    assert "leads.parquet is truncated or not a Parquet file" in refused(tmp_path, Path("leads.parquet"))
    assert "text.csv.gz is not a whole gzip file" in refused(tmp_path, Path("text.csv.gz"))


def test_rows_with_too_many_or_too_few_values_are_told_by_row(tmp_path: Path) -> None:
    ragged = "user_id,created_at\na,2024-03-01T09:00Z\n\nb\nc,2024-03-01T09:00Z,DE\n"

    message = refused(tmp_path, ragged)

    assert "2 rows (rows 4, 5) with 1, 3 values where the header has 2 columns" in message


@pytest.mark.parametrize(
    "broken",
    [
        'user_id,created_at\na,2024-03-01T09:00Z\nb,"2024-03-02T09:00Z\nc,2024-03-03T09:00Z\n',
        'user_id,created_at\na,2024-03-01T09:00Z\nb,"2024-03-02T09:00Z',
        'user_id,created_at\na,2024-03-01T09:00Z\nb,"2024\nc,2024\nd,"2024-03-03T09:00Z\n',
    ],
)
def test_a_quote_that_is_not_closed_is_told_by_row(tmp_path: Path, broken: str) -> None:
    assert "leads.csv, row 3: a value opens a quote" in refused(tmp_path, broken)


def test_a_quote_that_is_not_closed_in_the_header_is_told(tmp_path: Path) -> None:
    assert "its header cannot be read" in refused(tmp_path, '"' + LEADS * 4_000)


def test_rows_are_lines_also_behind_blank_lines_and_line_breaks_in_values(tmp_path: Path) -> None:
    leads = 'user_id,created_at\n\n"a\nb",2024-03-01T09:00Z\nc,soon\n'

    assert "(row 5, e.g. 'soon')" in refused(tmp_path, leads)


def test_a_nul_and_a_foreign_encoding_are_told_by_place(tmp_path: Path) -> None:
    assert "leads.csv, line 2: a NUL character" in refused(tmp_path, LEADS.replace("a,", "\0,").encode())
    message = refused(tmp_path, "user_id,created_at\nü,2024-03-01T09:00Z\n".encode("latin-1"))
    assert "leads.csv is not utf-8: byte 19 (0xfc, line 2)" in message
    assert "data.leads.encoding" in message
    assert "not an encoding that Python knows" in refused(tmp_path, LEADS, leads_encoding="utf-9")


def test_a_wrong_separator_is_guessed_in_words(tmp_path: Path) -> None:
    message = refused(tmp_path, LEADS.replace(",", ";"))

    assert "the header is one column, 'user_id;created_at', when split at ','" in message
    assert "data.leads.separator decides, should it be ';'?" in message
    assert "give one character" in refused(tmp_path, LEADS, leads_separator="||")


def test_missing_columns_are_all_told_with_the_nearest_name(tmp_path: Path) -> None:
    message = refused(tmp_path, "user,signup_at\na,2024-03-01T09:00Z\n", leads_columns={"created_at": "signupat"})

    assert message.startswith("2 problems:")
    assert (
        "leads.csv has no column 'user_id'. Did you mean 'user'? It has: signup_at, user. data.leads.columns.user_id"
        in message
    )
    assert "no column 'signupat' (for created_at). Did you mean 'signup_at'?" in message


def test_several_problems_of_both_tables_are_a_list_of_lists(tmp_path: Path) -> None:
    message = refused(tmp_path, "user,signup\na,b\n", EVENTS.replace("event_type", "type"))

    assert [line.split("has no")[0].rstrip() for line in message.splitlines()] == [
        "2 problems:",
        "  1. 2 problems:",
        "     1. leads.csv",
        "     2. leads.csv",
        "  2. events.csv",
    ]


def test_mapped_and_declared_columns_must_be_there(tmp_path: Path) -> None:
    message = refused(
        tmp_path, LEADS, leads_columns={"closed_at": "lost_at"}, known_at_creation={"country": "category"}
    )

    assert "no column 'lost_at' (for closed_at)" in message
    assert "no column 'country'" in message


def test_names_that_leadscore_does_not_know_are_refused(tmp_path: Path) -> None:
    message = refused(tmp_path, LEADS, leads_columns={"creatd_at": "created_at"}, leads_null_values={"ag": ["?"]})
    assert "data.leads.columns names 'creatd_at', which is no column here" in message
    assert "Did you mean 'created_at'?" in message
    assert "data.leads.null_values names 'ag'" in message
    assert "'status', which is one of leadscore's own columns" in refused(
        tmp_path, LEADS, known_at_creation={"status": "category"}
    )


def test_a_column_named_twice_is_refused_where_it_is_used(tmp_path: Path) -> None:
    message = refused(tmp_path, "user_id,created_at,created_at\na,2024-03-01T09:00Z,2024-03-02T09:00Z\n")

    assert message == "leads.csv: column 'created_at' stands 2 times in the header; a column is named once"


def test_files_of_one_table_agree_on_columns_and_types(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    pd.DataFrame({"user_id": [1], "created_at": utc("2024-03-01")}).to_parquet(parts / "1.parquet")
    pd.DataFrame({"user_id": ["x"], "created_at": utc("2024-03-01")}).to_parquet(parts / "2.parquet")
    assert "column 'user_id': int64 in 1.parquet, large_string in 2.parquet" in refused(tmp_path, Path("parts"))

    pd.DataFrame({"user_id": [2]}).to_parquet(parts / "2.parquet")
    assert "2.parquet has no column 'created_at', which other files" in refused(tmp_path, Path("parts"))


def test_problems_in_several_files_name_the_file(tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    (parts / "1.csv").write_text(LEADS)
    (parts / "2.csv").write_text("user_id,created_at\nc,soon\n")

    assert "parts (2 files), column 'created_at': 1 value not in ISO 8601" in refused(tmp_path, Path("parts"))
    assert "(2.csv row 2, e.g. 'soon')" in refused(tmp_path, Path("parts"))


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parse = csv_file.CsvFile.read

    def read_while_the_export_goes_on(self: csv_file.CsvFile, names: list[str]) -> object:
        with (tmp_path / "leads.csv").open("a") as file:
            file.write("c,2024-03-03T09:00Z\n")
        return parse(self, names)

    monkeypatch.setattr(csv_file.CsvFile, "read", read_while_the_export_goes_on)

    assert "'leads.csv' changed while being read" in refused(tmp_path, LEADS)


def test_a_path_that_is_not_set_is_told(tmp_path: Path) -> None:
    assert "data.leads.path is not set" in refused(tmp_path, Path("???"))
