"""Where a run ran: versions, and the state of the code's repository."""

import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["environment", "git_state"]

# What computes a prediction, directly or below; a new version of any may move its last bits.
PACKAGES = ("leadscore", "numpy", "pandas", "pyarrow", "scipy", "scikit-learn", "lightgbm", "numba")


def environment(also: Sequence[str] = ()) -> dict[str, Any]:
    """Return Python's version, the machine's kind and the versions of what computes, in this run `also` these."""
    return {
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "packages": {name: _version(name) for name in (*PACKAGES, *also)},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def git_state(folder: Path | None = None) -> dict[str, Any]:
    """Return the commit and whether tracked files differ from it; None for both outside a repository.

    Parameters
    ----------
    folder : Path, optional
        Default: the current directory.
    """
    commit = _git(["rev-parse", "HEAD"], folder)
    if commit is None:
        return {"commit": None, "dirty": None}
    return {"commit": commit, "dirty": bool(_git(["status", "--porcelain", "--untracked-files=no"], folder))}


def _git(arguments: list[str], folder: Path | None) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
