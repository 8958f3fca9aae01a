"""The set-up behind `make demo` and `make test`: what is pinned, and what it says when it cannot begin."""

import os
import re
import shutil
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parents[1]
LINES = (REPOSITORY / "constraints.txt").read_text().splitlines()
PINS = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in LINES)}
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
DECLARED = [
    Requirement(each)
    for each in [
        *PROJECT["build-system"]["requires"],
        *PROJECT["project"]["dependencies"],
        *PROJECT["project"]["optional-dependencies"]["test"],
    ]
]


def test_every_pin_is_a_name_and_one_version() -> None:
    assert [line for line in LINES if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


@pytest.mark.parametrize("requirement", DECLARED, ids=str)
def test_what_the_project_declares_is_pinned_within_its_range(requirement: Requirement) -> None:
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)])


def test_what_comes_along_is_pinned_too() -> None:
    seen: set[str] = set()
    waiting = [(each.name, frozenset(each.extras)) for each in DECLARED]
    while waiting:
        name, extras = waiting.pop()
        seen.add(canonicalize_name(name))
        try:
            needs = [Requirement(each) for each in requires(name) or []]
        except PackageNotFoundError:  # the build's own packages live where pip builds, not here
            continue
        applicable = [need for need in needs if _applies(need, extras)]
        waiting += [
            (need.name, frozenset(need.extras)) for need in applicable if canonicalize_name(need.name) not in seen
        ]
    assert seen - PINS.keys() == set()


def _applies(need: Requirement, extras: frozenset[str]) -> bool:
    return need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras or {""})


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what the set-up reads, and a `bin` for the interpreters of the story."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "bin").mkdir()
    for name in ["scripts/setup.sh", "pyproject.toml", "constraints.txt"]:
        shutil.copy(REPOSITORY / name, tmp_path / name)
    return tmp_path


def _interpreter(checkout: Path, script: str) -> str:
    path = checkout / "bin" / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def _set_up(checkout: Path, python: str) -> "subprocess.CompletedProcess[str]":
    command = ["bash", str(checkout / "scripts" / "setup.sh")]
    return subprocess.run(
        command, env=os.environ | {"PYTHON": python}, capture_output=True, text=True, check=False, timeout=60
    )


def test_an_old_python_is_refused_by_its_version(checkout: Path) -> None:
    old = _interpreter(checkout, 'case "$*" in *version_info*) exit 1;; *) echo "3.10.12 (main)";; esac')
    ended = _set_up(checkout, old)
    assert ended.returncode == 1
    assert f"leadscore needs Python 3.11 or newer, and here {old} is 3.10.12." in ended.stderr
    assert not (checkout / ".venv").exists()


def test_a_missing_python_is_refused_in_one_sentence(checkout: Path) -> None:
    ended = _set_up(checkout, str(checkout / "bin" / "python3.99"))
    assert ended.returncode == 1
    assert "leadscore needs Python 3.11 or newer, and here no" in ended.stderr
