"""What a definition's names lead to, and how far a hash follows them."""

import ast
import importlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import ModuleType
from typing import Any

__all__ = ["is_ours", "reached", "top_level"]

# leadscore's words and declarations: what they say is in the declaration itself, and how they say it is no one's run.
_NOT_FOLLOWED = (
    "leadscore.errors",
    "leadscore.config",
    "leadscore.times",
    "leadscore.features.aggregates",
    "leadscore.features.registry",
    "leadscore.features.contract",
    "leadscore.features.plan",
    "leadscore.model.registry",
)
_STDLIB = tuple(os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib"))
_UNKNOWN = object()


def top_level(module: str) -> str:
    """Return the package that a module belongs to."""
    return module.partition(".")[0]


def is_ours(module: str, home: str) -> bool:
    """Whether code of `module` is followed from a thing whose top-level package is `home`.

    The same package is, installed or not; leadscore is, except its messages and declarations; what is neither
    installed nor of the standard library is. A module without a file, as at a prompt, is ours.
    """
    if any(module == each or module.startswith(f"{each}.") for each in _NOT_FOLLOWED):
        return False
    top = top_level(module)
    if top in (home, "leadscore", "__main__"):
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    return top not in sys.stdlib_module_names if file is None else not _is_installed(file)


def _is_installed(file: str) -> bool:
    path = os.path.realpath(file)
    return path.startswith(_STDLIB) or not {"site-packages", "dist-packages"}.isdisjoint(path.split(os.sep))


def reached(node: ast.AST, scope: Mapping[str, Any], home: str) -> Iterator[tuple[str, Any]]:
    """Yield (name, value) for what a tree reads from outside, in the order of the source.

    Expressions are followed as far as their values are known: `module.LIMIT` leads to the limit alone,
    `TABLE[spec.kind].compute` to one function when `spec` is known. Imports inside the tree count.

    Parameters
    ----------
    node : AST
    scope : mapping of str to value
        The names that the tree takes from around it. `__package__` is where its relative imports start.
    home : str
        The top-level package whose code is ours, see `is_ours`.
    """
    package = str(scope.get("__package__") or "")
    imported: dict[str, Any] = {}
    for each in ast.walk(node):
        if isinstance(each, ast.Import | ast.ImportFrom):
            imported.update(_imported(each, package, home))
    yield from _read(node, {**scope, **imported}, home)


def _read(node: ast.AST, scope: Mapping[str, Any], home: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, ast.Name | ast.Attribute | ast.Subscript):
        value = _value(node, scope, home)
        if value is not _UNKNOWN:
            yield _first_name(node), value
            return
    for child in ast.iter_child_nodes(node):
        yield from _read(child, scope, home)


def _first_name(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def _value(node: ast.AST, scope: Mapping[str, Any], home: str) -> Any:
    """Return what an expression is known to be, without running any of the user's code."""
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return scope.get(node.id, _UNKNOWN)
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, scope, home)
        if isinstance(owner, ModuleType) and is_ours(owner.__name__, home):
            return getattr(owner, node.attr, _UNKNOWN)
        if is_dataclass(owner) and not isinstance(owner, type) and node.attr in {each.name for each in fields(owner)}:
            return getattr(owner, node.attr, _UNKNOWN)
    if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
        owner, key = _value(node.value, scope, home), _value(node.slice, scope, home)
        if type(owner) is dict and type(key) in (str, int, bool):
            return owner.get(key, _UNKNOWN)
    return _UNKNOWN


def _imported(node: ast.Import | ast.ImportFrom, package: str, home: str) -> Iterator[tuple[str, Any]]:
    if isinstance(node, ast.Import):
        for alias in node.names:
            module = _module(alias.name, home)
            if module is not None and alias.asname:
                yield alias.asname, module
            elif module is not None:  # `import a.b` loads b and binds a
                yield top_level(alias.name), _module(top_level(alias.name), home)
        return
    above = package.split(".")[: 1 - node.level or None] if node.level else []
    origin = ".".join([*above, *([node.module] if node.module else [])])
    if (module := _module(origin, home)) is not None:
        for alias in node.names:
            value = getattr(module, alias.name, _UNKNOWN)
            yield alias.asname or alias.name, _module(f"{origin}.{alias.name}", home) if value is _UNKNOWN else value


def _module(name: str, home: str) -> ModuleType | None:
    """Return a module that is ours, imported where only a function's body imports it; None for any other."""
    try:
        if name not in sys.modules:
            spec = importlib.util.find_spec(top_level(name))
            foreign = spec is None or spec.origin in (None, "built-in", "frozen") or _is_installed(str(spec.origin))
            if foreign and top_level(name) not in (home, "leadscore"):
                return None
        return importlib.import_module(name) if is_ours(name, home) else None
    except Exception:  # the function may never get there; when it does, the import says what is wrong
        return None
