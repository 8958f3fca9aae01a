"""The ledger: one row for each run that measured anything, whatever is tracked, pruned, torn or killed."""

import json
import shutil
import subprocess
import sys

import pytest

from leadscore.errors import RecordError
from leadscore.pipeline import compose, run
from leadscore.record.ledger import LEDGER, check_ledger, enter, family, read_ledger

HASH = "e" * 64


def identity(number):
    return {"run_id": f"20240301T000000-{number:08x}", "identity": f"{number:064x}"}


def test_a_row_says_who_measured_what_and_when(tmp_path):
    enter(tmp_path / "outputs", identity(1), HASH, "evaluated")
    (row,) = read_ledger(tmp_path / "outputs")
    assert list(row) == ["time", "run_id", "identity", "validation_hash", "status"]
    assert (row["run_id"], row["validation_hash"], row["status"]) == (identity(1)["run_id"], HASH, "evaluated")


def test_the_family_counts_each_run_on_the_same_rows_once(tmp_path):
    for number, rows in ((1, HASH), (2, HASH), (2, HASH), (3, "d" * 64)):
        enter(tmp_path, identity(number), rows, "evaluated")
    assert (family(tmp_path, HASH), family(tmp_path, "d" * 64), family(tmp_path, "c" * 64)) == (2, 1, 0)
    assert family(tmp_path / "nowhere", HASH) == 0


def test_a_torn_tail_is_set_aside_and_earlier_rows_stay(tmp_path):
    enter(tmp_path, identity(1), HASH, "evaluated")
    ledger = tmp_path / LEDGER
    before = ledger.read_bytes()
    ledger.write_bytes(before + before[:40])
    assert family(tmp_path, HASH) == 1  # a reader passes it over
    enter(tmp_path, identity(2), HASH, "evaluated")
    assert ledger.read_bytes().startswith(before)
    assert family(tmp_path, HASH) == 2
    assert (tmp_path / f"{LEDGER}.torn").read_bytes() == before[:40] + b"\n"


def test_a_whole_row_without_its_newline_stays(tmp_path):
    enter(tmp_path, identity(1), HASH, "evaluated")
    ledger = tmp_path / LEDGER
    ledger.write_bytes(ledger.read_bytes().rstrip(b"\n"))
    enter(tmp_path, identity(2), HASH, "evaluated")
    assert family(tmp_path, HASH) == 2
    assert not (tmp_path / f"{LEDGER}.torn").exists()


def test_a_line_that_is_no_row_hides_no_other(tmp_path, caplog):
    enter(tmp_path, identity(1), HASH, "evaluated")
    with (tmp_path / LEDGER).open("a") as file:
        file.write("someone was here\n[1, 2]\n")
    enter(tmp_path, identity(2), HASH, "evaluated")
    assert family(tmp_path, HASH) == 2
    assert "line 2 is damaged; passed over" in caplog.text


def test_sixteen_processes_lose_nothing(tmp_path):
    code = """
import os, sys
from pathlib import Path
from leadscore.record.ledger import enter
root = Path(sys.argv[1])
children = []
for child in range(16):
    pid = os.fork()
    if not pid:
        for n in range(8):
            enter(root, {"run_id": f"{child}-{n}", "identity": "x" * 9_000}, "e" * 64, "evaluated")
        os._exit(0)
    children.append(pid)
sys.exit(any(os.waitpid(pid, 0)[1] for pid in children))
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, timeout=120)
    rows = read_ledger(tmp_path)
    assert sorted(row["run_id"] for row in rows) == sorted(f"{child}-{n}" for child in range(16) for n in range(8))
    assert family(tmp_path, HASH) == 128


def test_a_killed_writer_leaves_whole_rows(tmp_path):
    code = """
import sys
from pathlib import Path
from leadscore.record.ledger import enter
n = 0
while True:
    enter(Path(sys.argv[1]), {"run_id": str(n), "identity": "x" * 20_000}, "e" * 64, "evaluated")
    n += 1
    print(n, flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        for line in writer.stdout:
            if int(line) >= 5:
                break
        writer.kill()
    enter(tmp_path, identity(1), HASH, "evaluated")  # the lock died with its process
    lines = (tmp_path / LEDGER).read_bytes().split(b"\n")
    assert lines.pop() == b""
    assert all(json.loads(line)["validation_hash"] == HASH for line in lines)
    assert family(tmp_path, HASH) >= 6


def test_a_root_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "outputs").write_text("a file where the folder should be")
    with pytest.raises(RecordError, match=r"cannot be written.*tracking.root decides"):
        check_ledger(tmp_path / "outputs")


# --- runs -------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(tmp_path):
    root = tmp_path / "kept"
    small = ["data.n_leads=400", "model=baseline", "report=false", "audit=off", f"tracking.root={root}"]
    return lambda *more: (compose([*small, *more]), root)


def test_runs_are_entered_also_untracked_and_stay_when_their_folders_go(asked):
    config, root = asked("tracking=none")
    run(config, root / "one")
    run(*[asked("model.rank_by=days_since_last_event")[0], root / "two"])
    told = json.loads((root / "two" / "identity.json").read_text())
    assert family(root, told["validation_hash"]) == 2
    for folder in ("one", "two"):
        shutil.rmtree(root / folder)
    (root / "experiments.csv").unlink()
    assert family(root, told["validation_hash"]) == 2
    assert [row["run_id"] for row in read_ledger(root)][1] == told["run_id"]


def test_other_validation_rows_are_another_family(asked):
    for share in (0.25, 0.3):
        config, root = asked(f"validation.share={share}")
        run(config, root / str(share))
    first, second = (row["validation_hash"] for row in read_ledger(root))
    assert first != second
    assert family(root, first) == family(root, second) == 1


def test_a_run_that_measured_nothing_is_not_entered(asked):
    config, root = asked("model.rank_by=no_such_column")
    with pytest.raises(Exception, match="no_such_column"):
        run(config, root / "one")
    assert read_ledger(root) == []


def test_the_row_is_there_before_any_number_is(asked, monkeypatch):
    from leadscore.record import write

    def full_disk(*_):
        raise RecordError("the disk is full")

    monkeypatch.setattr(write, "write_run", full_disk)
    config, root = asked()
    with pytest.raises(RecordError, match="the disk is full"):
        run(config, root / "one")
    assert len(read_ledger(root)) == 1
    assert not (root / "one" / "metrics.json").exists()
