"""`code_hash`: the functions that made a run's numbers, over their syntax trees and the helpers that they call.

Comments, docstrings and formatting are not in the tree that is hashed; a constant, a helper's body in whatever
module of ours or of the user's, and a decorator's declaration are.
"""

import ast
import builtins
import hashlib
import inspect
import sys
import sysconfig
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from leadscore.identity.asked import digest

__all__ = ["code_hash"]

_INSTALLED = tuple(
    str(Path(sysconfig.get_path(name)).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_PLAIN = (bool, int, float, complex, str, bytes, type(None))


def code_hash(things: Iterable[Any]) -> str:
    """Return one hash for functions and classes, with every helper and constant of first-party code they reach.

    Parameters
    ----------
    things : iterable of callable or class
        Order and repetition do not matter.

    Returns
    -------
    str
        64 hex.
    """
    seen: dict[str, str] = {}
    for thing in things:
        _collect(thing, seen)
    return digest(seen)


def _collect(thing: Any, seen: dict[str, str]) -> None:
    """Add `thing` and what it reaches to `seen`: qualified name -> hash of its normalised tree."""
    if isinstance(thing, partial):
        _collect(thing.func, seen)
        thing_key = (
            f"{thing.func.__module__}.{thing.func.__qualname__}({thing.args!r}, {sorted(thing.keywords.items())!r})"
        )
        seen[thing_key] = ""
        return
    if isinstance(thing, dict | list | tuple | set | frozenset):
        for item in thing.values() if isinstance(thing, dict) else thing:
            _collect(item, seen)
        return
    if not isinstance(thing, types.FunctionType | type) or not _is_ours(thing):
        return
    key = f"{thing.__module__}.{thing.__qualname__}"
    if key in seen:
        return
    tree = _tree(thing)
    seen[key] = hashlib.sha256((ast.dump(tree) if tree is not None else _bytecode(thing)).encode()).hexdigest()
    for name, value in _reached(thing, tree):
        if isinstance(value, _PLAIN) or (isinstance(value, tuple | list | dict | frozenset | set) and _is_plain(value)):
            seen[f"{thing.__module__}:{name}"] = repr(
                sorted(value, key=repr) if isinstance(value, set | frozenset) else value
            )
        else:
            _collect(value, seen)
    for base in thing.__bases__ if isinstance(thing, type) else ():
        _collect(base, seen)


def _is_plain(value: Any) -> bool:
    items = [*value.keys(), *value.values()] if isinstance(value, dict) else list(value)
    return all(
        isinstance(item, _PLAIN) or (isinstance(item, tuple | list | dict) and _is_plain(item)) for item in items
    )


def _is_ours(thing: Any) -> bool:
    """First-party: not built in, not the standard library's, not an installed package's (leadscore's own is)."""
    module = sys.modules.get(thing.__module__)
    file = getattr(module, "__file__", None)
    if thing.__module__.split(".")[0] in ("leadscore", "__main__"):
        return True
    return file is not None and not str(Path(file).resolve()).startswith(_INSTALLED)


def _tree(thing: Any) -> ast.AST | None:
    """Return the definition's tree without docstrings, or None where there is no source (a prompt, a frozen app)."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(thing)))
    except (OSError, TypeError, SyntaxError, IndentationError):
        return None  # a lambda inside a larger expression does not parse alone: its bytecode stands for it
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            body = node.body
            if (
                body
                and isinstance(body[0], ast.Expr)
                and isinstance(body[0].value, ast.Constant)
                and isinstance(body[0].value.value, str)
            ):
                node.body = body[1:] or [ast.Pass()]
    return tree


def _bytecode(thing: Any) -> str:
    code = getattr(thing, "__code__", None)
    if code is None:
        return str(thing.__qualname__)
    constants = [item if not isinstance(item, types.CodeType) else item.co_code.hex() for item in code.co_consts]
    return f"{code.co_code.hex()} {constants!r} {code.co_names!r}"


def _reached(thing: Any, tree: ast.AST | None) -> Iterator[tuple[str, Any]]:
    """Yield the module-level values and closure cells that a definition's names lead to."""
    module = sys.modules.get(thing.__module__)
    scope: dict[str, Any] = dict(vars(module)) if module else {}
    if isinstance(thing, types.FunctionType):
        scope.update(thing.__globals__)
        scope.update(_closure(thing))
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)} if tree else set(_names(thing))
    for name in sorted(names):
        if name in scope and not hasattr(builtins, name):
            yield name, scope[name]
    if tree is not None:
        yield from _attributes(tree, scope)


def _names(thing: Any) -> Iterable[str]:
    code = getattr(thing, "__code__", None)
    return code.co_names if code else ()


def _closure(function: Callable[..., Any]) -> dict[str, Any]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=False)
    return {name: cell.cell_contents for name, cell in cells}


def _attributes(tree: ast.AST, scope: dict[str, Any]) -> list[tuple[str, Any]]:
    """Return what `module.name` expressions lead to: helpers that were imported with their module."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = scope.get(node.value.id)
            if isinstance(owner, types.ModuleType) and hasattr(owner, node.attr):
                value = getattr(owner, node.attr)
                if isinstance(value, types.FunctionType | type):
                    found.append((f"{node.value.id}.{node.attr}", value))
    return sorted(dict(found).items())
