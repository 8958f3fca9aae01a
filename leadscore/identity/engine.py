"""`engine_hash`: leadscore's own code that stands between the data and a prediction."""

import ast
import gc
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from leadscore.identity.tree import spell

__all__ = ["engine_hash"]

PACKAGE = Path(__file__).resolve().parents[1]
# What only says, asks or keeps: messages, doors, pages, the shelf, names. What config/ composes is in config_hash,
# except a value at its default, which config_hash leaves out: so the files where the defaults stand count.
SILENT = {"errors", "terminal", "report", "door", "train", "record", "identity", "config", "verbs", "testing", "store"}
SILENT |= {"__main__", "sealed", "features/audit", "changes", "repetition", "ablation", "score", "scoring", "sweeps"}
SILENT |= {"site", "reporting", "promotion", "confirmation"}
DEFAULTS = ("config/schema.py", "config/models.py")
REGISTERED = {"feature", "definition"}  # code_hash names those that a run uses


@cache
def engine_hash(package: Path = PACKAGE) -> str:
    """Return one hash (64 hex) over the normalised trees of all modules that compute.

    A module counts unless it is listed as silent, so that a new one is never forgotten. Registered features and
    definitions, and `__all__`, do not: adding one renames no other run. Comments, docstrings and formatting do not
    count; a reworded message in a module that computes does.

    Parameters
    ----------
    package : Path
        The folder of the package.
    """
    whole = hashlib.sha256()
    with _not_collecting():
        for path in sorted(package.rglob("*.py"), key=lambda path: path.relative_to(package).as_posix()):
            name = path.relative_to(package).as_posix()
            places = {name.partition("/")[0].removesuffix(".py"), name.rpartition("/")[0]}
            if not places & SILENT or name in DEFAULTS:
                tree = ast.parse(path.read_bytes())
                tree.body = [node for node in tree.body if not _is_named_elsewhere(node)]
                whole.update(spell(tree).encode())
    return whole.hexdigest()


@contextmanager
def _not_collecting() -> Iterator[None]:
    """Keep the garbage collector from walking trees that hold no circle: half of the time would be its."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _is_named_elsewhere(node: ast.stmt) -> bool:
    if isinstance(node, ast.Assign):
        return any(isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets)
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
    calls = [each.func for each in decorators if isinstance(each, ast.Call)]
    return any(isinstance(call, ast.Name) and call.id in REGISTERED for call in calls)
