"""The cache: an entry is there whole or not at all, damage is never used, and no trouble with it stops a run."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from leadscore import sealed
from leadscore.config.schema import ComputeConfig
from leadscore.store import Store, open_store

KEY = hashlib.sha256(b"one").hexdigest()
OTHER = hashlib.sha256(b"other").hexdigest()


def writes(text="content", name="data"):
    return lambda folder: (folder / name).write_text(text)


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "cache", 10**9)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


def unfinished(store: Store) -> set[str]:
    return names(store.root / ".unfinished")


def in_process(code: str, *arguments: object, **options) -> subprocess.Popen:
    """Run a script in a process of its own; it can import this file's names."""
    setup = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\nfrom test_store import *\n"
    line = [sys.executable, "-c", setup + code, *map(str, arguments)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def wait_for(path: Path) -> None:
    until = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < until, f"{path} never came"
        time.sleep(0.01)


# --- what is kept is found -------------------------------------------------------------------------------


def test_what_was_kept_is_found_by_the_next_run(store, tmp_path):
    assert store.find("tables", KEY) is None
    folder = store.keep("tables", KEY, writes(), what="crm: 3 leads")
    again = Store(tmp_path / "cache", 10**9)
    assert again.find("tables", KEY) == folder
    assert (folder / "data").read_text() == "content"
    assert again.told("tables") == {"tables": "found", "notes": []}
    assert store.told("tables") == {"tables": "kept", "notes": []}
    assert again.find("tables", OTHER) is None
    assert again.find("column", KEY) is None
    assert unfinished(store) == set()


def test_a_cache_is_for_its_owner_alone(store):
    folder = store.keep("tables", KEY, writes())
    for path in (store.root, folder.parent, folder):
        assert path.stat().st_mode & 0o077 == 0, path


def test_entries_say_what_they_are(store):
    store.keep("tables", KEY, writes("x" * 1000), what="crm: 3 leads")
    (entry,) = store.entries()
    assert (entry.kind, entry.key, entry.what) == ("tables", KEY, "crm: 3 leads")
    assert entry.size == sum(path.stat().st_size for path in (store.root / "tables" / KEY).iterdir())
    assert datetime.now(UTC) - entry.made < timedelta(minutes=1)


def test_a_name_that_is_no_key_is_refused(store):
    for kind, key in (("../x", KEY), ("tables", "../../etc"), ("tables", KEY[:-1]), ("tables", KEY.upper())):
        with pytest.raises(ValueError, match="no entry can be called"):
            store.find(kind, key)


def test_what_goes_wrong_while_writing_leaves_nothing(store):
    def write(folder):
        writes()(folder)
        raise RuntimeError("a bug")

    with pytest.raises(RuntimeError, match="a bug"):
        store.keep("tables", KEY, write)
    assert unfinished(store) == set()
    assert store.find("tables", KEY) is None
    assert store.keep("tables", KEY, writes()) is not None


# --- where it lies ---------------------------------------------------------------------------------------


def test_the_folder_is_the_configs_or_xdgs_or_the_homes(tmp_path, monkeypatch):
    assert open_store(ComputeConfig(cache=False)) is None
    assert open_store(ComputeConfig(cache_dir=str(tmp_path), cache_limit_gb=2)).root == tmp_path
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert open_store(ComputeConfig()).root == tmp_path / "xdg" / "leadscore"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert open_store(ComputeConfig()).root == tmp_path / "home" / ".cache" / "leadscore"
    assert open_store(ComputeConfig()).limit == 20 * 10**9


def test_without_a_home_the_run_goes_on_with_one_note(monkeypatch, caplog):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.delenv("HOME")
    store = open_store(ComputeConfig())
    with store.making("tables", KEY):
        assert store.find("tables", KEY) is None
        assert store.keep("tables", KEY, writes()) is None
    assert store.entries() == store.prune() == []
    (note,) = store.notes
    assert "neither HOME nor XDG_CACHE_HOME is set; compute.cache_dir names a folder" in note
    assert [record.getMessage() for record in caplog.records] == [note]


def test_a_folder_that_cannot_be_made_is_one_note(tmp_path):
    (tmp_path / "file").write_text("in the way")
    store = Store(tmp_path / "file" / "cache", 10**9)
    for key in (KEY, OTHER):
        with store.making("tables", key):
            assert store.find("tables", key) is None
            assert store.keep("tables", key, writes()) is None
    (note,) = store.notes
    assert "cannot be written (Not a directory), so nothing more is kept; compute.cache_dir decides" in note


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_cache_is_read(store):
    folder = store.keep("tables", KEY, writes())
    tree = [store.root, *(path for path in store.root.rglob("*") if path.is_dir())]
    for path in tree:
        path.chmod(0o500)
    try:
        again = Store(store.root, 10**9)
        with again.making("tables", OTHER):
            assert again.find("tables", KEY) == folder
            assert again.keep("tables", OTHER, writes()) is None
        (note,) = again.notes
        assert "cannot be written (Permission denied)" in note
    finally:
        for path in tree:
            path.chmod(0o700)


def test_a_cache_on_a_read_only_disk_is_read(store, monkeypatch):
    folder = store.keep("tables", KEY, writes())

    def refuse(*arguments, **options):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    for name in ("mkdir", "rename", "utime"):
        monkeypatch.setattr(os, name, refuse)
    again = Store(store.root, 10**9)
    assert again.find("tables", KEY) == folder
    assert again.keep("tables", OTHER, writes()) is None
    (note,) = again.notes
    assert "cannot be written (Read-only file system)" in note


# --- full disks, at every call -------------------------------------------------------------------------


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO, errno.EACCES, errno.EDQUOT])
def test_a_write_that_fails_leaves_nothing_and_is_noted(store, error):
    def write(folder):
        writes()(folder)
        raise OSError(error, os.strerror(error))

    assert store.keep("tables", KEY, write) is None
    assert unfinished(store) == set()
    assert store.find("tables", KEY) is None
    (note,) = store.notes
    assert os.strerror(error) in note


def test_after_a_failure_nothing_more_is_written(store):
    def full(folder):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    assert store.keep("tables", KEY, full) is None
    assert store.keep("tables", OTHER, lambda folder: pytest.fail("it was tried again")) is None
    assert len(store.notes) == 1


def test_whichever_call_fails_the_entry_is_whole_or_absent(tmp_path, monkeypatch):
    """Fail the n-th of the calls that change a disk, for every n, until none fails any more."""
    calls = {"mkdir": os.mkdir, "rename": os.rename, "open": os.open}
    left, failed = [0], 0

    def failing(real):
        def call(*arguments, **options):
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(*arguments, **options)

        return call

    for n in range(1, 100):
        store = Store(tmp_path / str(n), 10**9)
        with monkeypatch.context() as patch:
            for name, real in calls.items():
                patch.setattr(os, name, failing(real))
            left[0] = n
            kept = store.keep("tables", KEY, writes())
        found = Store(store.root, 10**9).find("tables", KEY)
        assert (found is None) == (kept is None)
        assert len(store.notes) == (kept is None)
        assert unfinished(store) == set()
        if left[0] > 0:
            break
        failed += 1
    assert failed > 5
    assert kept is not None


def test_a_file_larger_than_the_process_may_write_is_noted(tmp_path):
    code = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "store = Store(Path(sys.argv[1]), 10**9)\n"
        "print(store.keep('tables', KEY, writes('x' * 10_000)), store.notes, unfinished(store), store.entries())"
    )
    said, errors = in_process(code, tmp_path / "cache").communicate()
    assert said.startswith("None [")
    assert "File too large" in said, errors
    assert said.rstrip().endswith("set() []")


# --- damage ------------------------------------------------------------------------------------------------


def damage(path: Path, how: str) -> None:
    data = bytearray(path.read_bytes())
    if how == "gone":
        path.unlink()
    elif how == "cut":
        path.write_bytes(data[:-1])
    elif how == "empty":
        path.write_bytes(b"")
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data)


@pytest.mark.parametrize("how", ["flipped", "cut", "empty", "gone"])
@pytest.mark.parametrize("name", ["data", "sub/more", sealed.MANIFEST])
def test_a_damaged_entry_is_never_used_and_made_again(store, name, how):
    def write(folder):
        writes()(folder)
        (folder / "sub").mkdir()
        writes("more content", "sub/more")(folder)

    folder = store.keep("tables", KEY, write)
    damage(folder / name, how)
    assert store.find("tables", KEY) is None
    (note,) = store.notes
    assert f"{folder} is damaged (" in note
    assert note.endswith("it is thrown away and made again")
    assert not folder.exists()
    assert store.keep("tables", KEY, write) == folder
    assert Store(store.root, 10**9).find("tables", KEY) == folder


def test_every_single_flipped_bit_of_a_manifest_is_seen(store):
    folder = store.keep("tables", KEY, writes(), what="crm")
    path = folder / sealed.MANIFEST
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 7
        path.write_bytes(changed)
        try:
            sealed.check(folder)
        except ValueError:
            continue
        assert changed.split() == whole.split(), place  # only spaces between values may differ


def test_an_entry_under_another_name_is_damaged(store):
    folder = store.keep("tables", KEY, writes())
    folder.rename(folder.with_name(OTHER))
    assert store.find("tables", OTHER) is None
    assert f"it was tables {KEY[:8]}" in store.notes[0]


def test_a_file_is_read_once_in_a_process_until_it_changes(store, monkeypatch):
    folder = store.keep("tables", KEY, writes())
    read = []
    monkeypatch.setattr(sealed, "file_hash", lambda path: read.append(path) or "")
    assert store.find("tables", KEY) == folder  # this process has written it
    assert read == []
    status = (folder / "data").stat()
    (folder / "data").write_text("CONTENT")
    os.utime(folder / "data", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    assert store.find("tables", KEY) is None
    assert read == [folder / "data"]


def test_a_damaged_entry_under_the_name_gives_way(store):
    folder = store.keep("tables", KEY, writes("first"))
    damage(folder / "data", "cut")
    assert store.keep("tables", KEY, writes("second")) == folder
    assert (folder / "data").read_text() == "second"


def test_who_came_first_stands(store):
    store.keep("tables", KEY, writes("first"))
    folder = store.keep("tables", KEY, writes("second"))
    assert (folder / "data").read_text() == "first"
    assert unfinished(store) == set()


# --- several processes -------------------------------------------------------------------------------------


def prepare(root: str, log: str, seconds: float) -> None:
    """What a run does: look, wait for others that make it, look again, make it."""
    store = Store(Path(root), 10**9)
    if store.find("tables", KEY) is None:
        with store.making("tables", KEY):
            if store.find("tables", KEY) is None:
                with Path(log).open("a") as file:
                    file.write("made\n")
                time.sleep(seconds)
                store.keep("tables", KEY, writes())
    sys.stdout.write(f"{(store.find('tables', KEY) / 'data').read_text()} {store.notes}\n")


def test_runs_side_by_side_make_it_once(store, tmp_path):
    code = "prepare(sys.argv[1], sys.argv[2], 0.3)"
    runs = [in_process(code, store.root, tmp_path / "log") for _ in range(4)]
    assert {run.communicate()[0] for run in runs} == {"content []\n"}
    assert (tmp_path / "log").read_text() == "made\n"


def test_who_waits_too_long_goes_on_alone(store, tmp_path):
    other = Store(store.root, 10**9)
    with store.making("tables", KEY), other.making("tables", KEY, patience=0.05):
        assert other.keep("tables", KEY, writes("theirs")) is not None
        assert (store.keep("tables", KEY, writes("ours")) / "data").read_text() == "theirs"
    (note,) = other.notes
    assert "another run has been making the same tables for 0.05 s; this one goes on alone" in note
    with other.making("tables", KEY, patience=0.05):  # the lock was let go
        pass
    assert len(other.notes) == 1


def test_a_lock_dies_with_its_process(store, tmp_path):
    code = (
        "store = Store(Path(sys.argv[1]), 10**9)\n"
        "with store.making('tables', KEY), store.scratch() as folder:\n"
        "    writes()(folder)\n"
        "    Path(sys.argv[2]).touch()\n"
        "    time.sleep(60)"
    )
    holder = in_process(code, store.root, tmp_path / "ready")
    wait_for(tmp_path / "ready")
    (left,) = unfinished(store)
    with store.scratch():
        assert left in unfinished(store)  # its maker lives
    holder.kill()
    holder.communicate()
    with store.making("tables", KEY, patience=5):
        assert store.keep("tables", KEY, writes()) is not None
    assert store.notes == []
    assert unfinished(store) == set()


def test_killed_at_any_moment_leaves_whole_entries_only(store, tmp_path):
    code = (
        "store = Store(Path(sys.argv[1]), 10**9)\n"
        "for number in range(10_000):\n"
        "    key = hashlib.sha256(f'{sys.argv[2]} {number}'.encode()).hexdigest()\n"
        "    store.keep('column', key, writes('x' * 100_000))\n"
        "    Path(sys.argv[3]).touch()"
    )
    for turn in range(8):
        ready = tmp_path / f"ready{turn}"
        process = in_process(code, store.root, turn, ready)
        wait_for(ready)
        time.sleep(0.003 * turn)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    entries = store.entries()
    assert len(entries) >= 8
    assert {entry.what for entry in entries} == {""}
    assert all(store.find(entry.kind, entry.key) for entry in entries)
    assert store.notes == []
    store.keep("tables", KEY, writes())
    assert unfinished(store) == set()


def test_what_nobody_finished_in_a_week_goes_wherever_it_was_begun(store):
    with store.scratch() as folder:
        old, young = (folder.parent / f"elsewhere.1.{age}" for age in ("old", "young"))
        for path in (old, young):
            path.mkdir()
        os.utime(old, (0, 0))
        stranger = folder.parent / "not-ours"
        stranger.mkdir()
    with store.scratch():
        assert young.exists()
        assert stranger.exists()
        assert not old.exists()


# --- pruning -----------------------------------------------------------------------------------------------


def key_of(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def used_days_ago(store: Store, kind: str, number: int, days: float) -> None:
    folder = store.keep(kind, key_of(number), writes("x" * 1000), what=str(number))
    when = time.time() - 86400 * days
    os.utime(folder / sealed.MANIFEST, (when, when))


def left(store: Store) -> set[str]:
    return {entry.what for entry in store.entries()}


@pytest.fixture
def filled(store):
    for number in range(4):
        used_days_ago(store, "tables" if number % 2 else "column", number, days=number)
    return store


def test_pruning_by_age_kind_size_or_all(filled):
    assert [entry.what for entry in filled.entries()] == ["0", "1", "2", "3"]
    assert {entry.what for entry in filled.prune(unused_for=timedelta(days=2.5))} == {"3"}
    assert {entry.what for entry in filled.prune(kind="column", unused_for=timedelta(days=1))} == {"2"}
    assert filled.prune(limit=10**6) == []
    assert [entry.what for entry in filled.prune(limit=filled.entries()[0].size)] == ["1"]
    assert filled.prune(kind="tables") == []
    assert [entry.what for entry in filled.prune()] == ["0"]
    assert filled.entries() == []


def test_an_entry_that_is_found_was_used_now(filled):
    assert filled.find("tables", key_of(3))
    filled.prune(limit=filled.entries()[0].size)
    assert left(filled) == {"3"}


def test_the_cache_stays_within_its_limit_and_keeps_the_newest(tmp_path):
    store = Store(tmp_path / "cache", 5000)
    for number in range(6):
        used_days_ago(store, "column", number, days=10 - number)
    assert left(store) == {"3", "4", "5"}
    store.limit = 10
    used_days_ago(store, "column", 7, days=100)
    assert left(store) == {"7"}


def test_a_damaged_entry_can_be_pruned(filled):
    damage(filled.root / "tables" / key_of(3) / sealed.MANIFEST, "cut")
    assert "damaged" in left(filled)
    filled.prune()
    assert left(filled) == set()


def test_what_is_open_stays_readable_when_it_is_pruned(store):
    folder = store.keep("tables", KEY, writes())
    with (folder / "data").open() as file:
        store.prune()
        assert file.read() == "content"
