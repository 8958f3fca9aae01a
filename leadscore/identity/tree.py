"""Syntax trees in one spelling, and the tree of a function or class that is already imported.

The spelling has no positions, comments, docstrings or empty fields, so the same source reads the same on every
Python from 3.11 on: what a newer version adds to its nodes is empty in sources that do not use it.
"""

import __future__

import ast
import inspect
import linecache
import sys
import textwrap
from collections import defaultdict
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FunctionType
from typing import Any

__all__ = ["Definition", "find_definition", "is_docstring", "open_names", "source_of", "spell"]

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
_UNSPELLED = {"ctx", "type_comment", "type_ignores"}  # said by the place, or by nothing at all
_FIELDS: dict[type, list[str]] = {}


def spell(node: ast.AST) -> str:
    r"""Return a tree as text: types and fields by name, without what cannot change what it computes.

    Examples
    --------
    >>> spell(ast.parse("x = 1  # one")) == spell(ast.parse("'''Why.'''\nx  =  1"))
    True
    >>> spell(ast.parse("x = 1")) == spell(ast.parse("x = 1.0"))
    False
    """
    written: list[str] = []
    _write(node, written)
    return "".join(written)


def _write(node: Any, written: list[str]) -> None:
    kind = type(node)
    if kind is ast.Name:
        written.append(f"Name {node.id};")
    elif kind is ast.Constant:
        written.append(f"{type(node.value).__name__} {node.value!r};")
    elif isinstance(node, ast.AST):
        _write_node(node, written)
    elif kind is list:
        written.append("[")
        for item in node:
            if not is_docstring(item):
                _write(item, written)
        written.append("]")
    else:
        written.append(f"{node!r};")


def _write_node(node: ast.AST, written: list[str]) -> None:
    kind = type(node)
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = _FIELDS[kind] = sorted(set(node._fields) - _UNSPELLED)
    if isinstance(node, ast.JoinedStr):  # some Pythons leave empty texts in it
        node = ast.JoinedStr([each for each in node.values if getattr(each, "value", None) != ""])
    written.append(f"{kind.__name__}(")
    for name in fields:
        value = getattr(node, name, None)
        if value is not None and value != []:
            written.append(f"{name}=")
            _write(value, written)
    written.append(")")


def is_docstring(node: Any) -> bool:
    """Whether a statement is a text alone, or nothing: `pass` stands where a docstring may stand."""
    if type(node) is ast.Expr:
        return type(node.value) is ast.Constant and type(node.value.value) is str
    return type(node) is ast.Pass


def open_names(node: Definition) -> set[str]:
    """Return the names that a definition takes from around it, by the compiler's own rules; annotations aside."""
    expression = ast.Expression(node) if isinstance(node, ast.Lambda) else ast.Module([node], [])
    mode = "eval" if isinstance(node, ast.Lambda) else "exec"
    try:
        code = compile(expression, "", mode, flags=__future__.annotations.compiler_flag, dont_inherit=True)
    except SyntaxError:  # `nonlocal` without its function around it
        return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}
    return {name for each in _nested(code) for name in each.co_names}


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _nested(constant)


def find_definition(thing: Any) -> list[Definition]:
    """Return the tree of a function or class; empty where there is no source, several where one line holds several.

    A function is found by its code's first line, so that a wrapper which took another's name is still itself.
    """
    if isinstance(thing, FunctionType):
        code = thing.__code__
        found = _index(_text(code.co_filename, code)).get((code.co_name, code.co_firstlineno), [])
        return _at_its_columns(found, code) if len(found) > 1 else found
    module = sys.modules.get(thing.__module__)
    codes = [each.__code__ for each in vars(thing).values() if isinstance(each, FunctionType)]
    for file in (getattr(module, "__file__", None), *(code.co_filename for code in codes)):
        found = _index(_text(file, module)).get((thing.__qualname__, 0), []) if file else []
        if found:
            return found
    return []


def source_of(thing: Any) -> str:
    """Return the source of a function or class as it is written, dedented; empty where there is none."""
    try:
        return textwrap.dedent(inspect.getsource(thing))
    except (OSError, TypeError, SyntaxError, IndexError):
        return ""


def _text(file: str, owner: Any) -> str:
    linecache.checkcache(file)
    lines = linecache.getlines(file)
    if not lines and owner is not None:
        try:
            lines = inspect.findsource(owner)[0]  # knows sources inside archives
        except (OSError, TypeError):
            return ""
    return "".join(lines)


def _at_its_columns(found: list[Definition], code: CodeType) -> list[Definition]:
    """Of lambdas on one line, keep the innermost in whose body all of the code's instructions stand.

    All are kept where no instruction says its column, as in some Pythons when only a constant is returned.
    """
    spots = {(line, column) for line, _, column, _ in code.co_positions() if line and column}
    inside: list[Definition] = [
        node for node in found if isinstance(node, ast.Lambda) and all(_holds(node.body, at) for at in spots)
    ]
    return inside[-1:] if spots and inside else found


def _holds(node: ast.expr, at: tuple[int, int]) -> bool:
    return (node.lineno, node.col_offset) <= at < (node.end_lineno or 0, node.end_col_offset or 0)


@lru_cache(maxsize=256)
def _index(text: str) -> dict[tuple[str, int], list[Definition]]:
    """Return a file's functions by (name, first line) and its classes by (qualified name, 0)."""
    index: dict[tuple[str, int], list[Definition]] = defaultdict(list)

    def add(node: ast.AST, path: str) -> None:
        for child in ast.iter_child_nodes(node):
            inner = path
            if isinstance(child, ast.ClassDef):
                index[(path + child.name, 0)].append(child)
                inner = f"{path}{child.name}."
            elif isinstance(child, ast.Lambda):
                index[("<lambda>", child.lineno)].append(child)
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                first = min(each.lineno for each in (child, *child.decorator_list))
                index[(child.name, first)].append(child)
                inner = f"{path}{child.name}.<locals>."
            add(child, inner)

    try:
        add(ast.parse(text), "")
    except (SyntaxError, ValueError):
        return {}
    return dict(index)
