"""Whether a function treats ids as keys only, so that numbers may stand for them.

Grouping by numbers takes half the time of grouping by texts. But a function may also look at an id: leave out the
team's own test accounts, hash it, look it up. Its source tells: numbers stand in only where every use of `user_id` is
one that cannot tell a number from a text. Whatever is not understood gets texts, and is right, if slower.
"""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from types import FunctionType, ModuleType
from typing import Any

__all__ = ["are_only_keys"]

ID = "user_id"
# Methods to which an id is a key: they put rows with equal ids together, or carry ids along.
BY_KEY = {"groupby", "set_index", "drop_duplicates", "duplicated", "sort_values", "droplevel", "xs"} | {
    "unstack",
    "merge",
    "join",
    "pivot_table",
    "reset_index",
    "value_counts",
    "set_axis",
    "Series",
}
# Methods that hand over whole rows, or run text as code: an id could be anywhere in what they give.
WHOLE_ROWS = {"itertuples", "iterrows", "to_dict", "to_records", "to_numpy", "values", "items", "query", "eval", "pipe"}
TRUSTED = {"pandas", "numpy", "datetime", "math", "builtins"}


@lru_cache(maxsize=1024)
def are_only_keys(function: Callable[..., Any]) -> bool:
    """Return whether a function, and what of the user's own code it calls, uses ids as keys only.

    Examples
    --------
    >>> are_only_keys(lambda events, now: events.groupby("user_id").size())
    True
    >>> are_only_keys(lambda events, now: events[events["user_id"] != "test"].groupby("user_id").size())
    False
    """
    return _is_safe(function, frozenset())


def _is_safe(function: Any, above: frozenset[Any]) -> bool:
    while isinstance(function, partial):
        function = function.func
    if function in above:
        return True
    tree = _tree(function) if isinstance(function, FunctionType) and not hasattr(function, "__wrapped__") else None
    if tree is None:
        return False
    keys = {id(node) for node in _keys(tree)}
    scope = _scope(function)
    return all(
        _shows_no_id(node, keys)
        and (not isinstance(node, ast.Name) or node.id not in scope or _is_blind(scope[node.id], above | {function}))
        for node in ast.walk(tree)
    )


def _shows_no_id(node: ast.AST, keys: set[int]) -> bool:
    """Whether a node is no mention of the id other than as a key, nor hands over whole rows."""
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, str) or ID not in node.value or id(node) in keys
    if isinstance(node, ast.Attribute):
        return node.attr not in WHOLE_ROWS and (node.attr != ID or id(node) in keys)
    return True


def _tree(function: FunctionType) -> ast.AST | None:
    """Return the function's body; None where the source cannot be had or holds several lambdas."""
    try:
        source = textwrap.dedent(inspect.getsource(function))
        tree = ast.parse(source if function.__name__ != "<lambda>" else _around_lambda(source))
    except (OSError, TypeError, SyntaxError):
        return None
    if function.__name__ == "<lambda>":
        found: list[ast.AST] = [node for node in ast.walk(tree) if isinstance(node, ast.Lambda)]
        return found[0] if len(found) == 1 else None
    first = tree.body[0] if tree.body else None
    if not isinstance(first, ast.FunctionDef):
        return None
    return ast.Module([node for node in first.body if not _is_docstring(node)], [])


def _around_lambda(source: str) -> str:
    """Cut a line so that the lambda in it stands alone and can be parsed."""
    start = source.index("lambda")
    for end in range(len(source), start, -1):
        try:
            ast.parse(source[start:end].strip(), mode="eval")
        except SyntaxError:
            continue
        return source[start:end].strip()
    return ""


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _keys(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the mentions that are a key: `groupby("user_id")`, `groupby(df["user_id"])`, `df[["user_id"]]`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in BY_KEY:
            for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                yield from _mentions(argument)
            if _called(node) == "value_counts" and isinstance(node.func, ast.Attribute):
                yield from _mentions(node.func.value)
        elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.List):
            yield from node.slice.elts


def _mentions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the id in an argument that is a name of it, or a column of ids as it stands."""
    if isinstance(node, ast.Constant):
        yield node
    elif isinstance(node, ast.List | ast.Tuple):
        for each in node.elts:
            yield from _mentions(each)
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        yield node.slice
    elif isinstance(node, ast.Attribute):
        yield node


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _scope(function: FunctionType) -> dict[str, Any]:
    """Return what the names lead to that the function takes from around it."""
    found = inspect.getclosurevars(function)
    scope = {**found.builtins, **found.globals, **found.nonlocals}
    for code in function.__code__.co_consts:  # functions and comprehensions inside it
        if inspect.iscode(code):
            scope |= {name: function.__globals__[name] for name in code.co_names if name in function.__globals__}
    return scope


def _is_blind(held: Any, above: frozenset[Any]) -> bool:
    """Whether something that a function can reach sees no ids: a plain value, pandas itself, or code that is safe."""
    if isinstance(held, ModuleType):
        return _root(held.__name__) in TRUSTED
    if isinstance(held, FunctionType) and _root(held.__module__) not in TRUSTED:
        return _is_safe(held, above)
    if callable(held):
        return _root(getattr(held, "__module__", None)) in TRUSTED
    plain = isinstance(held, str | int | float | list | tuple | dict | set | frozenset | type(None))
    return plain or (_root(type(held).__module__) in TRUSTED and not hasattr(held, "index"))


def _root(module: str | None) -> str:
    return str(module).partition(".")[0]
