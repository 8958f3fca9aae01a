"""Names of runs that lead elsewhere, folders that are links, records that were made up: refused, and nothing moves."""

from pathlib import Path

import pytest
from run_folders import finished

from leadscore import compose_score
from leadscore.errors import RecordError
from leadscore.record import open_run
from leadscore.record.find import all_runs
from leadscore.score import check
from leadscore.verbs import main

NAMES = [
    "../secret",
    "outputs/../secret",
    "..%2fsecret",
    "%252e%252e%252fsecret",
    "a/b",
    "C:\\runs\\x",
    "\\\\host\\share",
    "CON",
    "x\x00y",
    "x" * 300,
    "/" + "x/" * 3000,
    "..\u2215secret",
    "..\uff0fsecret",
    "secret.",
    "latest~-1",
    "latest~99999999999999999999",
    "champion/../secret",
    "\u202elatest",
    "20240501T000000-aaaaaaa\n",
    "\udcff",
    "*",
    "-",
    ".",
    "..",
    " ",
]
DOORS = {
    "show": ["show"],
    "show --lead": ["show", "--lead", "x"],
    "diff": ["diff", "20240501T000000-aaaaaaaa"],
    "verify": ["verify"],
    "verify --parity": ["verify", "--parity"],
    "promote": ["promote", "--why", "x"],
    "confirm": ["confirm"],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with one run under outputs/."""
    root = tmp_path_factory.mktemp("project")
    finished(root / "outputs" / "run")
    return root


@pytest.fixture(autouse=True)
def here(project, monkeypatch):
    monkeypatch.chdir(project)


def tree(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_every_door_refuses_a_name_that_is_no_runs(name, project, capsys):
    before = tree(project)
    for door, line in DOORS.items():
        assert main([*line, "--", name]) == 1, door
        said = capsys.readouterr().err
        assert said.startswith("leadscore: "), door
        assert "Traceback" not in said
    config = compose_score()
    config.run = name
    with pytest.raises(RecordError):
        check(config)
    assert tree(project) == before


@pytest.mark.parametrize("roots", ["[../..]", "[/etc]", "['x\\ty']", "[]", "[nowhere]"])
def test_roots_without_a_run_are_said(roots, tmp_path, monkeypatch):
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    with pytest.raises(RecordError, match="no run lies under"):
        check(compose_score(["run=latest", f"roots={roots}"]))


def test_a_run_folder_that_is_a_link_is_refused_by_every_name(project, tmp_path, caplog):
    elsewhere = finished(tmp_path / "elsewhere", "20990101T000000-bbbbbbbb")
    link = project / "outputs" / "linked"
    link.symlink_to(elsewhere)
    try:
        with pytest.raises(RecordError, match=r"linked is a link, to .*elsewhere: name the run's own folder"):
            open_run(link)
        assert [run.run_id for run in all_runs(["outputs"])] == ["20240501T000000-aaaaaaaa"]
        assert "is a link out of" in caplog.text
        with pytest.raises(RecordError, match="no run under"):
            open_run("20990101", ["outputs"])
    finally:
        link.unlink()
    assert open_run(elsewhere).run_id.endswith("bbbbbbbb")


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("identity.json", lambda run: run),
        ("config.yaml", lambda run: run.config),
        ("metrics.json", lambda run: run.metrics),
        ("predictions.parquet", lambda run: run.predictions),
    ],
)
def test_a_file_of_a_run_that_is_a_link_is_refused(name, read, tmp_path):
    folder = finished(tmp_path / "run")
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RecordError, match=rf"{name} is a link, to .*elsewhere"):
        read(open_run(folder))


def test_a_model_folder_that_is_a_link_is_refused(tmp_path):
    from leadscore.errors import ModelError

    folder = finished(tmp_path / "run")
    (folder / "model").rename(tmp_path / "elsewhere")
    (folder / "model").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ModelError, match=r"model is a link, to .*elsewhere: a saved model is a folder of its own"):
        _ = open_run(folder).model


DEEP = "[" * 100_000
BOMB = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 10)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("identity.json", DEEP, "cannot be read: maximum recursion depth"),
        ("identity.json", "null", "is no run's identity"),
        ("identity.json", "\x00\xff", "cannot be read"),
        ("metrics.json", DEEP, "cannot be read: maximum recursion depth"),
        ("metrics.json", "[]", "it holds no mapping"),
        ("config.yaml", BOMB, "it stands for more than 100,000 values"),
        ("config.yaml", "a: &a [*a]", "it stands for more than 100,000 values"),
        ("config.yaml", DEEP, "cannot be read"),
        ("config.yaml", "!!python/object/apply:os.mkdir [ran]", "could not determine a constructor"),
    ],
)
def test_a_record_that_was_made_up_is_one_sentence(name, content, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = finished(tmp_path / "run")
    (folder / name).write_text(content, "utf-8")
    assert main(["show", str(folder)]) == 1
    assert said in capsys.readouterr().err
    assert not (tmp_path / "ran").exists()
    if name == "identity.json":  # and one such folder hides no other run
        finished(tmp_path / "other", "20240601T000000-cccccccc")
        assert [run.run_id for run in all_runs([tmp_path])] == ["20240601T000000-cccccccc"]
