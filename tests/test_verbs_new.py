"""`leadscore features new`: what it writes works as it is, and what is there stays as it is."""

import importlib
import re
import runpy
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from conftest import ROOT

from leadscore import build_dataset, compose
from leadscore.errors import RecordError
from leadscore.features import FEATURES
from leadscore.verbs import main
from leadscore.verbs.kinds import KINDS
from leadscore.verbs.write_files import write_all


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """An empty folder, and a registry that forgets what a test registers."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before, modules = dict(FEATURES), {*sys.modules}
    yield tmp_path
    FEATURES.clear()
    FEATURES.update(before)
    for name in {*sys.modules} - modules:
        if name.startswith("my_"):
            del sys.modules[name]


@pytest.fixture
def story(home, monkeypatch):
    """Run a written test's story; the audit beside it is tried by the commands below."""
    stand_in = ModuleType("leadscore.testing")
    stand_in.assert_point_in_time = None
    monkeypatch.setitem(sys.modules, "leadscore.testing", stand_in)
    monkeypatch.syspath_prepend(home)

    def run(name):
        runpy.run_path(str(home / f"test_{name}.py"))[f"test_{name}_worked_out_by_hand"]()

    return run


def new(*words: str) -> int:
    return main(["features", "new", *words])


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


LOOKBACKS = ["14d", *(pytest.param(each, marks=pytest.mark.slow) for each in ("24h", "90m", "all"))]


@pytest.mark.parametrize("lookback", LOOKBACKS)
def test_every_kind_passes_its_own_story_and_trains(home, story, lookback):
    for kind in KINDS:
        written = ["--kind", kind, "--event-type", "invoice", "--lookback", lookback, "--set", "mine"]
        written += ["--column", "currency"] if KINDS[kind].column == "text" else []
        assert new(f"my_{kind}", *written) == 0
    for kind in KINDS:
        story(f"my_{kind}")
    config = compose(["features=+mine", "plugins=[my_features]", "data.n_leads=500"], config_dir="my_conf")
    columns = build_dataset(config).X
    assert {f"my_{kind}" for kind in KINDS} <= {*columns}
    if lookback in ("14d", "all"):
        assert columns["my_count"].nunique() > 1
        assert columns["my_sum"].max() > columns["my_max"].min() > 0
    formatted = [sys.executable, "-m", "ruff", "format", "--check", "--isolated", "--line-length=120", "."]
    done = subprocess.run(formatted, cwd=home, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_story_sees_a_function_that_computes_something_else(home, story):
    new("my_tickets", "--event-type", "ticket")
    module = home / "my_features.py"
    module.write_text(module.read_text().replace(".size()", '["timestamp"].nunique() + 1'))
    with pytest.raises(AssertionError):
        story("my_tickets")


@pytest.mark.parametrize("kind", ["distinct", "last"])
def test_the_type_of_an_event_is_a_column_too(home, story, kind):
    new("my_types", "--kind", kind)
    story("my_types")
    assert "columns=" not in (home / "my_features.py").read_text()


def test_the_readme_shows_what_is_written_and_what_is_printed(home, capsys):
    readme = (ROOT / "README.md").read_text(encoding="utf-8").split("## Add a feature")[1]
    command, commands = re.findall(r"```bash\n(.*?)```", readme, re.DOTALL)[:2]
    (shown,) = re.findall(r"```py\n# my_features.py\n(.*?)```", readme, re.DOTALL)
    main(shlex.split(command)[1:])
    assert (home / "my_features.py").read_text().endswith(shown)
    printed = capsys.readouterr().out.partition("next:\n")[2]
    assert [line.strip() for line in printed.splitlines()] == commands.splitlines()


@pytest.mark.slow
def test_the_three_commands_it_prints_run_as_they_are(home, capsys):
    new("tickets_last_14_days", "--event-type", "ticket", "--into", "team", "data.n_leads=800", "report=false")
    enter, *commands = capsys.readouterr().out.partition("next:\n")[2].split("\n  ")
    assert enter.strip() == "cd team"
    for command in commands:
        program, *words = shlex.split(command)
        line = [sys.executable, *(["-m", "leadscore"] if program == "leadscore" else []), *words]
        done = subprocess.run(line, cwd=home / "team", capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def test_a_second_feature_is_added_and_everything_else_stays_byte_for_byte(home, capsys):
    new("first_one", "--event-type", "ticket", "--set", "mine")
    (home / "my_features.py").write_text((home / "my_features.py").read_text() + "\nLIMIT = 3  # ours\n")
    (home / "my_conf/features/mine.yaml").write_text("# by hand\nfirst_one: {}\n\n# more\nevents_last_7_days: {}")
    before = contents(home)
    new("second_one", "--kind", "sum", "--event-type", "invoice", "--set", "mine")
    after = contents(home)
    assert "added to  my_features.py" in capsys.readouterr().out
    assert after["my_features.py"].startswith(before["my_features.py"])
    assert after["my_conf/features/mine.yaml"] == before["my_conf/features/mine.yaml"] + b"\nsecond_one: {}\n"
    assert after["test_first_one.py"] == before["test_first_one.py"]
    config = compose(["features=mine", "plugins=[my_features]"], config_dir="my_conf")
    assert sorted(config.features) == ["events_last_7_days", "first_one", "second_one"]


def test_a_module_without_the_import_gets_it_after_its_own(home):
    (home / "my_features.py").write_text('"""Ours."""\n\nimport math\n\nLIMIT = math.pi\n')
    new("my_tickets")
    text = (home / "my_features.py").read_text()
    assert text.startswith(
        '"""Ours."""\n\nimport math\nfrom leadscore.features import feature\n\nLIMIT = math.pi\n\n\n@feature('
    )
    sys.path.insert(0, str(home))
    importlib.import_module("my_features")
    assert "my_tickets" in FEATURES


def test_windows_line_ends_stay(home):
    (home / "my_features.py").write_bytes(b"from leadscore.features import feature\r\n")
    (home / "my_conf" / "features").mkdir(parents=True)
    (home / "my_conf/features/mine.yaml").write_bytes(b"# ours\r\nevents_last_7_days: {}\r\n")
    new("my_tickets", "--set", "mine")
    for name in ("my_features.py", "my_conf/features/mine.yaml"):
        text = (home / name).read_bytes()
        assert text.count(b"\n") == text.count(b"\r\n") > 2


def test_a_set_that_builds_on_others_keeps_doing_so(home):
    (home / "my_conf" / "features").mkdir(parents=True)
    (home / "my_conf/features/mine.yaml").write_text("# Ours.\ndefaults: [sessions, _self_]\n")
    new("my_tickets", "--set", "mine")
    config = compose(["features=mine", "plugins=[my_features]"], config_dir="my_conf")
    assert {"my_tickets", "sessions_last_7_days"} <= {*config.features}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["my feature"],
            "'my feature' cannot be a feature's name, which is a Python function's. Did you mean 'my_feature'?",
        ),
        (["class"], "'class' cannot be a feature's name"),
        (["yes"], "YAML reads it as True"),
        (["feature"], "the files use that word themselves"),
        (["sessions_last_7_days"], "is a registered feature already"),
        (["active_user"], "is a business concept or definition already"),
        (["country"], "is a lead attribute (data.known_at_creation) already"),
        (["x", "--set", "sessions"], "--set sessions: leadscore ships a set of that name"),
        (["x", "--set", "a+b"], "--set a+b: letters, digits and _ only"),
        (["x", "--lookback", "7"], "--lookback: '7' is not a duration"),
        (["x", "--lookback", "0d"], "--lookback 0d: an empty window"),
        (["x", "--event-type", '"; import os'], "--event-type '\"; import os': only printable text"),
        (["x", "--column", "amount"], "--column amount: the kind count reads no column"),
        (["x", "--kind", "sum", "--column", "event_type"], "reads a column of numbers"),
        (["x", "--kind", "last", "--event-type", "login"], "--kind last: of events of one type, it needs a --column"),
        (["x", "--module", "my-features"], "--module my-features: not a module's name"),
        (["x", "features=+sessions"], "features=+sessions: this verb says itself what features= is"),
    ],
)
def test_what_cannot_be_written_is_refused_and_nothing_is(home, capsys, words, said):
    assert new(*words) == 1
    assert said in capsys.readouterr().err
    assert not contents(home)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("my_features.py", "def mine():\n    pass\n", "my_features.py:1 defines 'mine' already"),
        ("my_features.py", "mine = 3\n", "my_features.py:1 defines 'mine' already"),
        ("my_features.py", "def (:\n", "my_features.py, line 1: "),
        ("my_features.py", "feature = 3\n", "my_features.py:1 means something else by 'feature'"),
        ("my_conf/features/mine.yaml", "mine: {days: 3}\n", "has an entry 'mine' already"),
        ("my_conf/features/mine.yaml", "{a: {}}\n", "is not written one entry a line"),
        ("my_conf/features/mine.yaml", "- a\n", "a feature set is a mapping"),
        ("test_mine.py", "", "test_mine.py is there already"),
    ],
)
def test_what_is_there_is_never_overwritten(home, capsys, name, text, said):
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(text)
    before = contents(home)
    assert new("mine") == 1
    assert said in capsys.readouterr().err
    assert contents(home) == before


def test_when_one_file_cannot_be_written_none_is(home):
    (home / "file").write_text("not a folder")
    with pytest.raises(RecordError, match="nothing was changed"):
        write_all({home / "new" / "a.py": "a", home / "file" / "b.py": "b"})
    assert contents(home) == {"file": b"not a folder"}
    assert not (home / "new").exists()


def test_a_rename_that_fails_undoes_those_before_it(home, monkeypatch):
    (home / "a.py").write_text("as it was")
    rename = Path.replace

    def replace(self, target):
        if target.name == "c.py":
            raise OSError(28, "No space left on device", str(target))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with pytest.raises(RecordError, match=r"c.py cannot be written: No space left on device; nothing was changed"):
        write_all({home / "a.py": "new", home / "b.py": "new", home / "c.py": "new"})
    assert contents(home) == {"a.py": b"as it was"}


def test_a_link_stays_a_link_and_a_files_mode_stays(home):
    (home / "real.py").write_text("from leadscore.features import feature\n")
    (home / "real.py").chmod(0o640)
    (home / "my_features.py").symlink_to("real.py")
    new("my_tickets")
    assert (home / "my_features.py").is_symlink()
    assert "def my_tickets" in (home / "real.py").read_text()
    assert (home / "real.py").stat().st_mode & 0o777 == 0o640
