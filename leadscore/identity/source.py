"""`code_hash`: the functions that made a run's numbers, over their syntax trees and all that they reach by name.

Comments, docstrings and formatting are not in the tree that is hashed; a helper's body in whatever module of ours
or of the user's, a value that a name leads to, and a decorator's declaration are.
"""

import ast
import copyreg
import hashlib
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial
from types import CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any

from leadscore.identity.asked import digest
from leadscore.identity.reach import is_ours, reached, top_level
from leadscore.identity.tree import Definition, find_definition, open_names, source_of, spell

__all__ = ["Code", "code_hash", "read_code"]

_PLAIN = {bool, int, float, complex, str, type(None), type(Ellipsis), range}
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def code_hash(things: Iterable[Any]) -> str:
    """Return one hash for functions and classes, with every helper and value of first-party code they reach.

    A thing handed in always counts. From there, code is followed in its own top-level package, in leadscore (its
    messages and declarations aside), and wherever it is neither installed nor of the standard library; other code
    counts by its name. A value counts as `pickle` would take it apart, whatever it is: a timedelta, a pattern, an
    array, an instance with its class's code.

    Parameters
    ----------
    things : iterable of callable or class
        Or of tuples that begin with one; the rest of such a tuple are values that count with it. Order and
        repetition do not matter.

    Returns
    -------
    str
        64 hex.

    Notes
    -----
    The limits. What cannot be taken apart (a lock, an open file) counts by its type, and its attributes or else its
    repr without addresses. Code that only running would find is not followed: `getattr(module, name)`, a method
    set on a class from outside. Without a source (a prompt) the bytecode stands for the tree, and is this
    Python's own.
    """
    return _hash_of(digest(_Reduction(thing).of(thing)) for thing in things)


def _hash_of(hashes: Iterable[str]) -> str:
    return digest(sorted(set(hashes)))


@dataclass(frozen=True)
class Code:
    """The code behind a run, as it was: what a later reader needs to see which part of it moved.

    Attributes
    ----------
    things : dict of str to str
        Name of a feature, a definition or the model to the hash of its code and all that it reaches.
    definitions : dict of str to dict
        Qualified name of each function or class that was followed to its `hash` (of its normalised tree), its `source`
        as written, and the plain `values` that its names lead to, by name.
    """

    things: dict[str, str]
    definitions: dict[str, dict[str, Any]]

    @property
    def hash(self) -> str:
        """`code_hash` of the things."""
        return _hash_of(self.things.values())

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {"things": self.things, "definitions": self.definitions}


def read_code(things: Mapping[str, Any]) -> Code:
    """Hash named things as `code_hash` does, and keep what was read on the way."""
    hashes, met = {}, {}
    for name, thing in things.items():
        reduction = _Reduction(thing)
        hashes[name] = digest(reduction.of(thing))
        met.update(reduction.definitions)
    return Code(hashes, {name: _definition(*met[name]) for name in sorted(met)})


def _definition(thing: Any, trees: list[Any]) -> dict[str, Any]:
    named = [each for _, seen in trees for each in seen]
    values = {name: reduced[1] for name, reduced in named if isinstance(reduced[0], str) and reduced[0] in _PLAIN_NAMES}
    return {"hash": digest([tree for tree, _ in trees]), "source": source_of(thing), "values": values}


class _Reduction:
    """One thing reduced to JSON; what was met before is named by its number, so that circles end."""

    def __init__(self, thing: Any) -> None:
        self.definitions: dict[str, tuple[Any, list[Any]]] = {}  # name -> what it is, its trees and what they name
        while isinstance(thing, partial | tuple):
            thing = thing.func if isinstance(thing, partial) else thing[0]
        self.thing = getattr(thing, "__func__", thing)
        self.home = top_level(str(getattr(thing, "__module__", "")))
        self.met: dict[int, int] = {}
        self.alive: list[Any] = []  # an object let go would lend its id to another

    def of(self, value: Any) -> Any:
        kind = type(value)
        if kind in _PLAIN:
            return [kind.__name__, repr(value)]
        if kind is tuple:
            return ["tuple", *map(self.of, value)]
        if id(value) in self.met:
            return ["met", self.met[id(value)]]
        self.met[id(value)] = len(self.alive)
        self.alive.append(value)
        parts = next((base for base in (type, Enum) if isinstance(value, base)), kind)
        reduced = _PARTS.get(parts, _Reduction._instance)(self, value)
        if parts not in _NUMBERED and not self._is_ours(kind.__module__):
            del self.met[id(value)]  # Python may keep one copy of equal values (patterns, zones) or several
        return reduced

    def _partial(self, value: "partial[Any]") -> Any:
        function = value.func
        bound = isinstance(function, FunctionType) and id(function) not in self.met
        reduced = self._function(function, value.keywords) if bound else self.of(function)  # type: ignore[arg-type]
        return ["partial", reduced, self.of(value.args), self._state(value.keywords)]

    def _dict(self, value: Mapping[Any, Any]) -> Any:
        return ["dict", *([self.of(key), self.of(item)] for key, item in value.items())]

    def _code(self, code: CodeType) -> Any:
        return ["code", code.co_code.hex(), code.co_names, code.co_varnames, self.of(code.co_consts)]

    def _alone(self, item: Any) -> str:
        """Reduce an item of a set as if it came first: a set has no order to number by."""
        other = object.__new__(_Reduction)
        other.thing, other.home, other.met, other.alive = self.thing, self.home, dict(self.met), list(self.alive)
        other.definitions = self.definitions
        return digest(other.of(item))

    def _is_ours(self, module: Any) -> bool:
        return is_ours(str(module), self.home)

    def _function(self, function: FunctionType, bound: Mapping[str, Any] = MappingProxyType({})) -> Any:
        code, module, cells = function.__code__, function.__globals__.get("__name__"), _cells(function)
        named = ["function", f"{module}.{code.co_qualname}"]
        if function is not self.thing and not self._is_ours(module):
            return [*named, self._state({**vars(function), **cells})]  # an installed decorator around code of ours
        nodes = find_definition(function)
        scope = {**function.__globals__, **cells}
        known = {name: value for name, value in bound.items() if _is_constant(name, nodes)}
        trees = self._tree(nodes, scope, {**cells, **known})
        self.definitions[named[1]] = function, trees
        return [
            *named,
            trees,
            [] if len(nodes) == 1 else self._bytecode(code, scope),
            self.of(function.__defaults__),
            self._state(function.__kwdefaults__ or {}),
            self._state({**vars(function), **cells}),
        ]

    def _class(self, kind: type) -> Any:
        named = ["class", f"{kind.__module__}.{kind.__qualname__}"]
        if kind is not self.thing and not self._is_ours(kind.__module__):
            return named
        methods = {name: value for name, value in vars(kind).items() if isinstance(value, FunctionType)}
        nodes = find_definition(kind)
        if not nodes:
            values = {name: getattr(value, "fget", value) for name, value in vars(kind).items()}
            return [*named, self.of(kind.__bases__), self._state(values), self._state(methods, hidden=True)]
        scope = dict(vars(sys.modules[kind.__module__])) if kind.__module__ in sys.modules else {}
        cells: dict[str, Any] = {}
        for method in methods.values():
            scope = {**method.__globals__, **scope}
            cells.update(_cells(method))
        bases, trees = self.of(kind.__bases__), self._tree(nodes, {**scope, **cells}, cells)
        self.definitions[named[1]] = kind, trees
        return [*named, bases, trees]

    def _tree(self, nodes: list[Definition], scope: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
        """Return definitions' spelling and what their names lead to; `known` are values of local names too."""
        reduced = []
        for node in nodes:
            names = open_names(node) | {"__package__"}
            values = {name: scope[name] for name in names if name in scope}
            seen = [[name, self._named(name, value)] for name, value in reached(node, {**values, **known}, self.home)]
            reduced.append([hashlib.sha256(spell(node).encode()).hexdigest(), seen])
        return reduced

    def _bytecode(self, code: CodeType, scope: Mapping[str, Any]) -> Any:
        return [self._code(code), [[name, self._named(name, scope[name])] for name in code.co_names if name in scope]]

    def _named(self, name: str, value: Any) -> Any:
        owner = type(value).__module__
        if not self._is_ours(owner) and vars(sys.modules.get(owner, self)).get(name, self) is value:
            return ["name", owner, name]  # `from os import environ`: theirs, whatever it holds today
        return self.of(value)

    def _instance(self, value: Any) -> Any:
        plain = getattr(value, "py_func", None)
        if isinstance(plain, FunctionType):  # compiled from it: the machine code's own names are new in every process
            return ["compiled", type(value).__qualname__, self.of(plain)]
        kind, state = self.of(type(value)), getattr(value, "__dict__", {})
        try:
            reduce = copyreg.dispatch_table.get(type(value))
            reduced = reduce(value) if reduce else value.__reduce_ex__(4)
            if isinstance(reduced, str):  # a name, such as a cached function's
                return ["name", kind, str(getattr(value, "__module__", "")), reduced, self._state(state)]
            make, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
            rest = [list(items or []), list(pairs or [])]
        except Exception:  # whatever it says, it cannot be taken apart
            return ["opaque", kind, self._state(state) if state else _words(value)]
        state = self._state(state) if isinstance(state, dict) else self.of(state)
        return [kind, self.of(make), self.of(arguments), state, self.of(rest)]

    def _state(self, values: Mapping[str, Any], *, hidden: bool = False) -> Any:
        """Reduce attributes in the order of their names; Python's own (`__doc__`, ...) are no state."""
        kept = {
            str(name): value
            for name, value in values.items()
            if hidden or name == "__wrapped__" or not str(name).startswith("__")
        }
        return [[name, self.of(kept[name])] for name in sorted(kept)]


_PARTS: dict[type, Callable[[_Reduction, Any], Any]] = {
    type: _Reduction._class,
    FunctionType: _Reduction._function,
    partial: _Reduction._partial,
    CodeType: _Reduction._code,
    MethodType: lambda reduction, value: ["method", reduction.of(value.__func__), reduction.of(value.__self__)],
    ModuleType: lambda _, value: ["module", value.__name__],
    Enum: lambda reduction, value: ["member", reduction.of(type(value)), value.name],
    bytes: lambda _, value: ["bytes", hashlib.sha256(value).hexdigest()],
    list: lambda reduction, value: ["list", *map(reduction.of, value)],
    set: lambda reduction, value: ["set", *sorted(map(reduction._alone, value))],
    frozenset: lambda reduction, value: ["frozenset", *sorted(map(reduction._alone, value))],
    dict: _Reduction._dict,
    MappingProxyType: _Reduction._dict,
}
_NUMBERED = {FunctionType, type, list, dict}


_PLAIN_NAMES = {kind.__name__ for kind in _PLAIN}


def _words(value: Any) -> str:
    try:
        return _ADDRESS.sub("", repr(value))
    except Exception:  # its type must do
        return ""


def _cells(function: FunctionType) -> dict[str, Any]:
    """Return what a function closes over; `__class__`, which super() needs, is not its own."""
    cells = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # not filled yet
            cells[name] = cell.cell_contents
    cells.pop("__class__", None)
    return cells


def _is_constant(name: str, nodes: list[Definition]) -> bool:
    """Whether a parameter keeps the value it is called with: one parameter of that name, never assigned."""
    bindings = [
        each.arg if isinstance(each, ast.arg) else each.id
        for node in nodes
        for each in ast.walk(node)
        if isinstance(each, ast.arg) or (isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load))
    ]
    return bindings.count(name) == 1
