"""Whether a function treats ids as keys only, so that numbers may stand for them.

Grouping by numbers takes half the time of grouping by texts. But a function may also look at an id: leave out the
team's own test accounts, hash it, look it up. So numbers stand in only for functions all of whose source is on a list
of what cannot show an id: grouping by it and reducing, arithmetic, comparisons of other columns. The list is short on
purpose: whatever is not on it gets texts, and is right, if slower.
"""

import ast
import builtins
import inspect
import textwrap
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import date, timedelta
from types import FunctionType, ModuleType
from typing import Any, TypeGuard

__all__ = ["are_only_keys", "may_read"]

ID = "user_id"
BY_KEY = {"groupby", "set_index", "drop_duplicates", "duplicated", "sort_values", "unstack", "value_counts"}
REDUCERS = {
    "size",
    "sum",
    "mean",
    "min",
    "max",
    "std",
    "var",
    "median",
    "count",
    "nunique",
    "first",
    "last",
    "any",
    "all",
}
BY_ROW = {
    "diff",
    "shift",
    "cumsum",
    "cumcount",
    "cummax",
    "cummin",
    "rank",
    "head",
    "tail",
    "dropna",
    "fillna",
    "astype",
}
BY_ROW |= {
    "clip",
    "round",
    "abs",
    "between",
    "notna",
    "isna",
    "assign",
    "copy",
    "where",
    "mask",
    "agg",
    "quantile",
    "prod",
}
OPERATORS = {"eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "div", "truediv", "floordiv", "mod", "pow"}
CLOCK = {
    "dt",
    "total_seconds",
    "dayofweek",
    "day_of_week",
    "weekday",
    "hour",
    "minute",
    "day",
    "month",
    "year",
    "quarter",
}
CLOCK |= {"floor", "ceil", "normalize", "days", "seconds", "tz_convert", "date", "isocalendar", "week", "dayofyear"}
OF_A_COLUMN = {"isin", "map", "str"}  # only on a column that is named and not the id
OF_TEXTS = {"startswith", "endswith", "contains", "lower", "upper", "len"}  # behind `.str`
METHODS = BY_KEY | REDUCERS | BY_ROW | OPERATORS | CLOCK | OF_A_COLUMN | OF_TEXTS | {"loc"}
OF_PANDAS = {"Timedelta", "to_timedelta", "Timestamp", "NaT", "NA", "isna", "notna"}
OF_NUMPY = {"log", "log1p", "log2", "log10", "exp", "expm1", "sqrt", "abs", "minimum", "maximum", "where", "clip"} | {
    "sign",
    "floor",
    "ceil",
    "isnan",
    "nan",
    "inf",
    "pi",
    "power",
    "timedelta64",
}
BUILTINS = {"len", "abs", "min", "max", "sum", "round", "int", "float", "bool", "True", "False", "None"}
ALLOWED = (
    *(ast.Module, ast.Expr, ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Return, ast.If, ast.IfExp, ast.Pass),
    *(ast.BinOp, ast.BoolOp, ast.UnaryOp, ast.Compare, ast.operator, ast.boolop, ast.unaryop, ast.cmpop),
    *(ast.Call, ast.keyword, ast.Attribute, ast.Subscript, ast.Slice, ast.Name, ast.Constant, ast.expr_context),
    *(ast.List, ast.Tuple, ast.Set, ast.Dict, ast.Lambda, ast.arguments, ast.arg),
)


def are_only_keys(function: Callable[..., Any], parameters: Mapping[str, Any] | None = None) -> bool:
    """Return whether a function, and what of the user's own code it calls, uses ids as keys only.

    Parameters
    ----------
    function : callable
    parameters : mapping of str to value, optional
        What it will be called with besides the rows and the instant.

    Examples
    --------
    >>> are_only_keys(lambda events, now: events.groupby("user_id").size())
    True
    >>> are_only_keys(lambda events, now: events[events["user_id"] != "test"].groupby("user_id").size())
    False
    """
    return all(_is_plain(value) for value in (parameters or {}).values()) and _is_safe(function, frozenset())


def may_read(function: Callable[..., Any], columns: Collection[str], parameters: Mapping[str, Any]) -> bool:
    """Return whether a function that uses ids as keys only may read one of some columns.

    It does not where its source names none of them, and takes no text, list or function from outside that could.
    """
    tree, scope = _tree(function), _Scope(function)  # type: ignore[arg-type]
    given = [value for value in parameters.values() if not isinstance(value, int | float)]
    if tree is None or given:
        return True
    return any(
        (isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in columns)
        or scope.may_name(node)
        for node in ast.walk(tree)
    )


def _is_safe(function: Any, above: frozenset[Any]) -> bool:
    if function in above:
        return True
    tree = _tree(function) if type(function) is FunctionType and not vars(function) else None
    if tree is None or any(_is_lambda_inside(node, tree) for node in ast.walk(tree)):
        return False
    keys = {id(node) for node in _keys(tree)}
    scope, above = _Scope(function), above | {function}
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    return all(
        isinstance(node, ALLOWED) and _shows_no_id(node, keys, parents) and scope.is_blind(node, parents, above)
        for node in ast.walk(tree)
    )


def _is_lambda_inside(node: ast.AST, tree: ast.AST) -> bool:
    return isinstance(node, ast.Lambda) and node is not tree


def _shows_no_id(node: ast.AST, keys: set[int], parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a node is no mention of the id other than as a key, nor looks into rows in a way that could show it."""
    if isinstance(node, ast.Constant):
        return not isinstance(node.value, str) or ID not in node.value or id(node) in keys
    if isinstance(node, ast.Compare):
        sides = [node.left, *node.comparators]
        texts = any(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in sides)
        return not texts or all(_is_column(each) or isinstance(each, ast.Constant) for each in sides)
    if not isinstance(node, ast.Attribute):
        return True
    if node.attr in OF_A_COLUMN:
        return _is_column(node.value)
    if node.attr == "agg":  # by names of reducers, not by functions
        call = parents.get(node)
        return isinstance(call, ast.Call) and all(isinstance(each, ast.Constant) for each in call.args)
    return True  # whether its name is listed depends on whose it is: see _Scope


def _is_column(node: ast.AST) -> bool:
    """Whether an expression is one named column that is not the id: `events["event_type"]`."""
    if isinstance(node, ast.Attribute) and node.attr == "str":
        return _is_column(node.value)
    key = node.slice if isinstance(node, ast.Subscript) else None
    return isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value != ID


def _tree(function: FunctionType) -> ast.AST | None:
    """Return the function's body; None where the source cannot be had or holds several lambdas."""
    try:
        source = textwrap.dedent(inspect.getsource(function))
        if function.__name__ != "<lambda>":
            first = ast.parse(source).body[0]
            if not isinstance(first, ast.FunctionDef):
                return None
            return ast.Module([node for node in first.body if not _is_docstring(node)], [])
        found: list[ast.AST] = [node for node in ast.walk(_around_lambda(source)) if isinstance(node, ast.Lambda)]
    except (OSError, TypeError, SyntaxError, ValueError):
        return None
    return found[0] if len(found) == 1 else None


def _around_lambda(source: str) -> ast.AST:
    """Cut a line so that the lambda in it stands alone and can be parsed."""
    start = source.index("lambda")
    for end in range(len(source), start, -1):
        try:
            return ast.parse(source[start:end].strip(), mode="eval")
        except SyntaxError:
            continue
    raise SyntaxError(source)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _keys(tree: ast.AST) -> Iterator[ast.AST]:
    """Yield the mentions that are a key: `groupby("user_id")`, `groupby(df["user_id"])`, and counts of ids."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _called(node) in BY_KEY:
            for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
                yield from _mentions(argument)
            if _called(node) == "value_counts" and isinstance(node.func, ast.Attribute):
                yield from _mentions(node.func.value)


def _mentions(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the id in an argument that is a name of it, or a column of ids as it stands."""
    if isinstance(node, ast.Constant):
        yield node
    elif isinstance(node, ast.List | ast.Tuple):
        for each in node.elts:
            yield from _mentions(each)
    elif isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant):
        yield node.slice


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


class _Scope:
    """What the names lead to that a function takes from around it."""

    def __init__(self, function: FunctionType) -> None:
        code = function.__code__
        self.local = {*code.co_varnames, *code.co_cellvars}
        cells = zip(code.co_freevars, function.__closure__ or (), strict=True)
        self.held = {**vars(builtins), **function.__globals__, **{name: _content(cell) for name, cell in cells}}

    def is_blind(self, node: ast.AST, parents: Mapping[ast.AST, ast.AST], above: frozenset[Any]) -> bool:
        """Whether a name, or a method, can show no id."""
        if isinstance(node, ast.Attribute):
            owner = self.held.get(node.value.id) if self._is_outer(node.value) else None
            if isinstance(owner, ModuleType):
                return node.attr in {"pandas": OF_PANDAS, "numpy": OF_NUMPY}.get(owner.__name__, set())
            return node.attr in METHODS
        return not self._is_outer(node) or self._holds_no_id(node, parents, above)

    def may_name(self, node: ast.AST) -> bool:
        """Whether a name leads to a text, a collection or a function, in which a column's name could stand."""
        if not self._is_outer(node):
            return False
        value = self.held.get(node.id)
        return isinstance(value, str | FunctionType) or _is_many(value)

    def _holds_no_id(self, name: ast.Name, parents: Mapping[ast.AST, ast.AST], above: frozenset[Any]) -> bool:
        value = self.held.get(name.id)
        if isinstance(value, ModuleType):
            return value.__name__ in ("pandas", "numpy") and isinstance(parents.get(name), ast.Attribute)
        if isinstance(value, FunctionType):
            return _is_safe(value, above)
        if callable(value):
            return name.id in BUILTINS or value is timedelta
        return _is_plain(value) and (not _is_many(value) or _is_asked_of_a_column(name, parents))

    def _is_outer(self, node: ast.AST) -> TypeGuard[ast.Name]:
        return isinstance(node, ast.Name) and node.id not in self.local


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not filled yet
        return None


def _is_asked_of_a_column(node: ast.AST, parents: Mapping[ast.AST, ast.AST]) -> bool:
    """Whether a list or dict from outside is only what a named column is looked up in, as in `.isin(TYPES)`."""
    call = parents.get(node)
    return isinstance(call, ast.Call) and _called(call) in ("isin", "map") and node in call.args


def _is_many(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset | dict)


def _is_plain(value: Any) -> bool:
    """Whether a value is a number, a text other than the id's name, a length or date, or a collection of such."""
    if isinstance(value, dict):
        return all(_is_plain(each) for pair in value.items() for each in pair)
    if _is_many(value):
        return all(map(_is_plain, value))
    if isinstance(value, str):
        return ID not in value
    return value is None or isinstance(value, int | float | timedelta | date)
