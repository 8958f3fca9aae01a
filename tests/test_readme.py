"""The README cannot rot: its blocks run, in order, in one folder, and print what it says they print."""

import io
import os
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = README + (ROOT / "docs" / "features.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
TOLD = re.search(r"## What changed.*?(?=^## )", README, re.DOTALL | re.MULTILINE)[0]
STORY = [text for kind, text in BLOCK.findall(TOLD) if kind == "bash"]  # run as a whole, in a folder of its own
# What differs from run to run, or from machine to machine.
VARIES = re.compile(r"^(run|files) .*$", re.MULTILINE)


def blocks(language: str) -> list[str]:
    return [text for kind, text in BLOCK.findall(PAGES) if kind == language]


def crm(folder: Path) -> None:
    """A company's files, with its own names: local times across a clock change, `;`, a country called NA."""
    folder.mkdir()
    leads = ["kundennr;angelegt;stand;gewonnen_am;verloren_am;land;mitarbeiter;intern"]
    events = ["kundennr,zeit,art"]
    for n in range(400):
        day, converts = n % 180, n % 5 in (0, n % 3)
        created = f"2024-{day // 30 + 1:02d}-{day % 28 + 1:02d} 09:{n % 60:02d}:00"
        won = (
            created.replace(f"-{day % 28 + 1:02d} ", "-28 ").replace(" 09", " 23") if converts and day % 28 < 19 else ""
        )
        lost = "" if won or n % 4 else created.replace(" 09", " 23")
        status = "kunde" if won else "verloren" if lost else "offen"
        leads.append(f"{n:05d};{created};{status};{won};{lost};{'NA' if n % 2 else 'DE'};{n % 7};x")
        events += [
            f"{n:05d},{created[:10]} {hour}:30:00,{'Anmeldung' if hour % 2 else 'Sitzung'}"
            for hour in range(10, 13 + 4 * bool(won))
        ]
    (folder / "kunden.csv").write_text("\n".join(leads) + "\n")
    (folder / "aktivitaet.csv").write_text("\n".join(events) + "\n")


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A user's folder: the README's files with a name on their first line, and the company's own data."""
    home = tmp_path_factory.mktemp("home")
    crm(home / "crm")
    for text in (*blocks("yaml"), *blocks("python")):
        if name := re.match(r"# (\S+\.(?:yaml|py))\n", text):
            (home / name[1]).parent.mkdir(parents=True, exist_ok=True)
            (home / name[1]).write_text(text)
    return home


def shell(script: str, home: Path) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=home,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{script}\n{done.stderr}"
    return done.stdout


def lines_of(script: str) -> list[str]:
    return [line for line in script.splitlines() if line and not line.startswith("#")]


def test_the_shell_blocks_run_in_order(home):
    """One test, so that no two processes share them out: a block may need what an earlier one wrote."""
    scripts = [text for text in blocks("bash") if "make demo" not in text and text not in STORY]
    assert len(scripts) > 8
    for script in scripts:
        shell(script, home)


def test_the_python_block_runs_anywhere(home, monkeypatch):
    (script,) = (text for text in blocks("python") if not text.startswith("# my_"))
    monkeypatch.chdir(home)
    said = io.StringIO()
    with redirect_stdout(said):
        exec(compile(script, "README.md", "exec"), {})
    assert re.match(r"AUC 0\.\d{3} on \d+ leads\nlightgbm 0\.\d+", said.getvalue())


def test_the_two_commands_are_what_the_makefile_does():
    (block,) = (text for text in blocks("bash") if "make demo" in text)
    targets = [line.split()[1] for line in lines_of(block)]
    makefile = (ROOT / "Makefile").read_text()
    assert targets == ["demo", "test"]
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
    assert re.search(
        r"^demo:.*\n(\t.*\n)*\t\$\(bin\)/python -m leadscore.train model=lightgbm features=\+sessions\n",
        makefile,
        re.MULTILINE,
    )
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_the_output_shown_is_what_the_command_prints(home):
    line, shown = re.search(r"<!-- output: (.*?) -->\n```text\n(.*?)```", README, re.DOTALL).groups()
    printed = shell(line, home)
    assert VARIES.sub(r"\1", shown).split() == VARIES.sub(r"\1", printed).split()


def as_it_varies_not(text: str) -> list[str]:
    """Lines without run ids, times and the widths that follow from them."""
    text = re.sub(r"\d{8}T\d{6}-[0-9a-f]{8}", "RUN", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", "WHEN", text)
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def test_the_story_is_told_as_it_is_shown(home, monkeypatch):
    """Baseline, sessions, what changed, promote, a mistake, back: each line shown is printed, in this order."""
    script = "\n".join(STORY)
    monkeypatch.setenv("LOGNAME", "operator")
    folder = home / "story"
    folder.mkdir()
    is_told(README, shell(script, folder))


def is_told(page: str, printed: str) -> None:
    """Each line of the page's stories is printed, in this order."""
    printed, place = " ".join(as_it_varies_not(printed)), 0
    for shown in re.findall(r"<!-- story -->\n```text\n(.*?)```", page, re.DOTALL):
        for line in as_it_varies_not(shown):
            assert line in printed[place:]
            place = printed.index(line, place) + len(line)


@pytest.mark.slow
def test_the_page_on_scoring_is_told_as_it_is_shown(tmp_path):
    page = (ROOT / "docs" / "scoring.md").read_text(encoding="utf-8")
    scripts = BLOCK.findall(page)
    is_told(page, shell("\n".join(text for kind, text in scripts if kind == "bash"), tmp_path))
    (python,) = (text for kind, text in scripts if kind == "py")
    (tmp_path / "page.py").write_text(python)
    assert shell(f"{sys.executable} page.py", tmp_path).startswith("Of 943 rows of 544 leads scored")


def test_every_choice_of_every_group_has_a_first_line_that_says_what_it_is():
    for file in sorted((ROOT / "conf").glob("*/*.yaml")):
        first = next(line for line in file.read_text().splitlines() if not line.startswith("# @package"))
        assert first.startswith("# "), f"{file} does not start with a comment"


def test_links_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
