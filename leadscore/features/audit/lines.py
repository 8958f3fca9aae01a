"""The likely line: where a code reads a name, calls the clock, or else begins."""

import ast
import dis
import linecache
import textwrap
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType

__all__ = ["first_line", "line_of_names", "nested", "shown", "writes_to"]

_WRITERS = {
    "setdefault",
    "update",
    "append",
    "add",
    "extend",
    "insert",
    "pop",
    "popitem",
    "clear",
    "remove",
    "discard",
    "__setitem__",
}


def nested(code: CodeType) -> Iterator[CodeType]:
    """Yield a code and those defined inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from nested(constant)


def shown(file: str, number: int) -> str:
    """Return `file:line: source text`, the file by its name alone."""
    text = linecache.getline(file, number).strip()
    return f"{Path(file).name}:{number}: {text}" if text else f"{Path(file).name}:{number}"


def first_line(code: CodeType) -> str:
    """Return the first line of a function's body."""
    lines = [line for _, _, line in code.co_lines() if line is not None and line > code.co_firstlineno]
    start = next((each for each in _definition_lines(code) if each in lines), None)
    return shown(code.co_filename, start or (lines[0] if lines else code.co_firstlineno))


def line_of_names(codes: Iterable[CodeType], names: Iterable[str]) -> str | None:
    """Return the first line that reads, or mentions as a text, one of the names; None when there is none.

    A local variable of that name counts only where nothing else has it.
    """
    wanted = set(names)
    local = None
    for code in codes:
        for step in dis.get_instructions(code):
            if isinstance(step.argval, str) and step.argval in wanted and step.positions and step.positions.lineno:
                line = shown(code.co_filename, step.positions.lineno)
                if "_FAST" not in step.opname:
                    return line
                local = local or line
    return local


def writes_to(code: CodeType, name: str) -> bool:
    """Whether a code puts something into what `name` holds: `NAME[key] = value`, `NAME.setdefault(...)`."""
    tree = _tree(code)
    for node in ast.walk(tree) if tree else ():
        if isinstance(node, ast.Subscript) and not isinstance(node.ctx, ast.Load) and _root(node.value) == name:
            return True
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in _WRITERS and _root(called.value) == name:
            return True
    return False


def _root(node: ast.AST) -> str | None:
    """Return the name at which `a.b[c].d` begins, and `b` for an attribute of a module or of an object."""
    while isinstance(node, ast.Subscript):
        node = node.value
    if isinstance(node, ast.Attribute):
        return node.attr if not isinstance(node.value, ast.Name) or node.value.id != "self" else "self"
    return node.id if isinstance(node, ast.Name) else None


def _definition_lines(code: CodeType) -> list[int]:
    tree = _tree(code)
    body = getattr(tree.body[0], "body", []) if tree and tree.body else []
    return [each.lineno + code.co_firstlineno - 1 for each in body] if isinstance(body, list) else []


@lru_cache(maxsize=512)
def _tree(code: CodeType) -> ast.Module | None:
    """Return the syntax tree of a function's own lines."""
    lines = linecache.getlines(code.co_filename)
    last = max((line for each in nested(code) for _, _, line in each.co_lines() if line), default=0)
    text = textwrap.dedent("".join(lines[code.co_firstlineno - 1 : last]))
    for source in (text, text + ")", text.rstrip().rstrip(",")):  # a call may close after the last line of code
        try:
            return ast.parse(source)
        except SyntaxError:
            continue
    return None
