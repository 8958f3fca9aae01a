"""`leadscore data cache`: what is kept, how large, and throwing it away."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from leadscore.config.schema import ComputeConfig
from leadscore.store import open_store
from leadscore.verbs import main


@pytest.fixture
def kept(tmp_path):
    """A cache of three entries: (the override that names it, its store)."""
    store = open_store(ComputeConfig(name="local", cache_dir=str(tmp_path / "cache")))
    assert store is not None
    for number, (kind, what, size) in enumerate(
        [("tables", "leads.csv and events.csv", 3_000), ("tables", "older.csv", 2_000), ("hashes", "", 10)]
    ):

        def write(folder, size=size):
            (folder / "data.bin").write_bytes(b"x" * size)

        assert store.keep(kind, f"{number:064x}", write, what) is not None
    return f"compute.cache_dir={tmp_path / 'cache'}", store


def aged(store, kind, number, days):
    """Make an entry look unused for some days."""
    long_ago = (datetime.now(UTC) - timedelta(days=days)).timestamp()
    for path in (store.root / kind / f"{number:064x}", *(store.root / kind / f"{number:064x}").iterdir()):
        os.utime(path, (long_ago, long_ago))


def test_the_table_says_what_is_kept_and_where(kept, capsys):
    where, store = kept
    assert main(["data", "cache", where]) == 0
    said = capsys.readouterr().out
    assert "leads.csv and events.csv" in said
    assert "just now" in said
    assert f"3 entries, {sum(entry.size for entry in store.entries()) / 1000:.3g} KB of at most 20 GB" in said
    assert str(store.root) in said
    main(["data", "cache", where, "--kind", "hashes", "--json"])
    listed = json.loads(capsys.readouterr().out)
    assert [entry["kind"] for entry in listed["entries"]] == ["hashes"]
    assert listed["folder"] == str(store.root)


def test_pruning_by_age_takes_what_was_not_used_and_says_so(kept, capsys):
    where, store = kept
    aged(store, "tables", 1, 40)
    assert main(["data", "cache", where, "--prune", "--older-than", "30d"]) == 0
    said = capsys.readouterr().out
    assert "older.csv" in said
    assert "40 days ago" in said
    assert "removed 1 entry, " in said
    assert "2 entries, " in said
    assert {entry.what for entry in store.entries()} == {"leads.csv and events.csv", ""}


def test_pruning_to_a_limit_or_a_kind_or_everything(kept, capsys):
    where, store = kept
    aged(store, "tables", 1, 1)
    main(["data", "cache", where, "--prune", "--limit", "4.5KB", "--json"])
    assert [entry["what"] for entry in json.loads(capsys.readouterr().out)["removed"]] == ["older.csv"]
    main(["data", "cache", where, "--prune", "--kind", "hashes"])
    assert [entry.kind for entry in store.entries()] == ["tables"]
    main(["data", "cache", where, "--prune", "--all"])
    assert store.entries() == []
    assert main(["data", "cache", where]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"nothing is kept in {store.root}"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--all"], "--all: says what to remove, so it needs --prune"),
        (["--prune"], "--prune: of what? --older-than 30d, --limit 5GB, --kind KIND or --all"),
        (["--prune", "--all", "--limit", "5GB"], "--all: removes everything"),
        (["--prune", "--older-than", "30"], "--older-than: '30' is not a duration"),
        (["--prune", "--limit", "many"], "--limit: 'many' is not a size"),
        (
            ["--prune", "--kind", "table"],
            "--kind table: nothing of it is kept. Did you mean 'tables'? Kept: hashes, tables.",
        ),
    ],
)
def test_a_wish_that_is_unclear_removes_nothing(kept, capsys, words, said):
    where, store = kept
    assert main(["data", "cache", where, *words]) == 1
    assert said in capsys.readouterr().err
    assert len(store.entries()) == 3


def test_without_a_cache_that_is_said(tmp_path, capsys, monkeypatch):
    assert main(["data", "cache", "compute.cache=false"]) == 0
    assert capsys.readouterr().out == "nothing is kept: compute.cache=false\n"
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert main(["data", "cache"]) == 0
    assert "neither HOME nor XDG_CACHE_HOME is set" in capsys.readouterr().out
    assert main(["data", "cache", f"compute.cache_dir={tmp_path / 'none'}"]) == 0
    assert not (tmp_path / "none").exists()
