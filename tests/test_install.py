"""The three ways to have leadscore: a checkout, an editable install, a wheel. Each finds its configs."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from conftest import ROOT

SHOW = "from leadscore.config.paths import CONF; from leadscore import compose; print(CONF, len(compose().features))"


def where(folder: Path, path: Path | None = None) -> tuple[str, str]:
    """Ask leadscore, started in `folder` with `path` before all installed packages, where its configs are."""
    env = {**os.environ, "PYTHONPATH": str(path) if path else ""}
    done = subprocess.run([sys.executable, "-c", SHOW], cwd=folder, env=env, capture_output=True, text=True, check=True)
    conf, n_features = done.stdout.split()
    return conf, n_features


def checkout(folder: Path) -> Path:
    for name in ("leadscore", "conf"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "CHANGELOG.md"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def test_a_checkout_uses_its_own_configs(tmp_path):
    copy = checkout(tmp_path / "copy")
    (copy / "conf" / "features" / "base.yaml").write_text("# one\nevents_last_7_days: {}\n")
    assert where(tmp_path, copy) == (str(copy / "conf"), "1")


@pytest.mark.slow
def test_a_wheel_carries_its_configs_and_trains(tmp_path):
    copy = checkout(tmp_path / "copy")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(copy)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    shutil.rmtree(copy)
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    assert where(tmp_path, tmp_path / "site")[0] == str(tmp_path / "site" / "leadscore" / "conf")
    env = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    line = [sys.executable, "-m", "leadscore.train", "data.n_leads=800", "features=+sessions"]
    done = subprocess.run(line, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("outputs/*/*/report.html"))


@pytest.mark.slow
def test_an_editable_install_uses_the_checkouts_configs_not_the_copy_it_leaves(tmp_path):
    copy = checkout(tmp_path / "copy")
    subprocess.run([sys.executable, "-m", "venv", "--system-site-packages", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    # The packages of the environment that runs the tests, whatever kind of environment that is.
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text("\n".join(path for path in sys.path if path.endswith("site-packages")))
    install = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(copy)]
    done = subprocess.run(install, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (copy / "conf" / "features" / "base.yaml").write_text("# one\nevents_last_7_days: {}\n")
    shown = subprocess.run([python, "-c", SHOW], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert shown.stdout.split() == [str(copy / "conf"), "1"]
