"""What a feature's code reaches besides its arguments: globals, closures, defaults, helpers, objects and holders.

Names are followed through first-party code to the values that they lead to. Each value's place is kept, so that it
can be replaced for the length of one build and put back.
"""

import dis
import functools
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import pandas as pd

from leadscore.eventlog import EventLog
from leadscore.features.audit.lines import nested, writes_to
from leadscore.tables import Tables

__all__ = ["LEAVES", "Reached", "Slot", "is_first_party", "reach", "replaced"]

_STDLIB = tuple(os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib"))
LEAVES = (pd.DataFrame, pd.Series, pd.Index, np.ndarray, Tables, EventLog)
_HOLDERS = (dict, list, set, frozenset, tuple)
MOST_ITEMS = 10_000  # of a holder, that are looked into


@dataclass(frozen=True)
class Slot:
    """A place that holds a value, and the code that reads it.

    `name` is the place in words (`STATE['frame']`), `root` the name in the code from which it is reached.
    """

    name: str
    root: str
    code: CodeType | None
    get: Callable[[], Any]
    put: Callable[[Any], None]


@dataclass
class Reached:
    """All that one function reaches.

    Attributes
    ----------
    slots : list of Slot
        Places of frames, arrays, tables, logs, and of holders.
    memory : list of Slot
        Places of holders that the code writes to, and of names that it binds anew.
    caches : list of object
        Functions whose results `functools` keeps.
    codes : list of CodeType
        The code itself, and that of every helper.
    """

    slots: list[Slot] = field(default_factory=list)
    memory: list[Slot] = field(default_factory=list)
    caches: list[Any] = field(default_factory=list)
    codes: list[CodeType] = field(default_factory=list)


def reach(function: Any, parameters: Mapping[str, Any] | None = None) -> Reached:
    """Follow a function; `parameters` are the values of its keyword arguments in this run."""
    follower = _Follower(str(getattr(function, "__module__", "")).partition(".")[0])
    code = getattr(function, "__code__", None)
    with suppress(RecursionError):  # a chain of a thousand objects: what was found before must do
        follower.visit(function, _fixed("", None, function))
        for name, value in list(parameters.items()) if isinstance(parameters, MutableMapping) else ():
            follower.visit(value, _item(name, name, code, parameters, name))
    return follower.found


def is_first_party(module: str, home: str = "") -> bool:
    """Whether a module's code is the user's: neither installed, nor of the standard library, nor leadscore's own."""
    top = module.partition(".")[0]
    if top in (home, "__main__"):
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if top == "leadscore" or file is None:
        return top != "leadscore" and top not in sys.stdlib_module_names
    return is_first_party_file(file)


def is_first_party_file(file: str) -> bool:
    """Whether a file is neither installed nor of the standard library."""
    path = os.path.realpath(file)
    return not path.startswith(_STDLIB) and {"site-packages", "dist-packages"}.isdisjoint(path.split(os.sep))


@contextmanager
def replaced(slots: list[Slot], change: Callable[[Any], Any]) -> Iterator[None]:
    """Put `change(value)` into each place for the length of the block; one value is changed once."""
    changed: dict[int, tuple[Any, Any]] = {}  # the old value is kept: an object let go would lend its id to another
    done: list[tuple[Slot, Any]] = []
    try:
        for slot in slots:
            try:
                old = slot.get()
            except (KeyError, IndexError):  # in a memory that was emptied
                continue
            if id(old) not in changed:
                changed[id(old)] = (old, change(old))
                new = changed[id(old)][1]
                changed[id(new)] = (new, new)  # several slots may be one place
            new = changed[id(old)][1]
            if new is not old:
                slot.put(new)
                done.append((slot, old))
        yield
    finally:
        for slot, old in reversed(done):
            slot.put(old)


class _Follower:
    """Goes from value to value, each once."""

    def __init__(self, home: str) -> None:
        self.home = home
        self.found = Reached()
        self.seen: set[int] = set()

    def visit(self, value: Any, slot: Slot) -> None:
        if isinstance(value, LEAVES):
            self.found.slots.append(slot)
        elif isinstance(value, _HOLDERS):
            self._holder(value, slot)
        elif id(value) not in self.seen:
            self.seen.add(id(value))
            self._code_or_object(value, slot)

    def _holder(self, value: Any, slot: Slot) -> None:
        self.found.slots.append(slot)
        if isinstance(value, dict | list | set) and slot.code is not None and writes_to(slot.code, slot.root):
            self.found.memory.append(slot)
        if id(value) in self.seen or len(value) > MOST_ITEMS or isinstance(value, set | frozenset):
            return
        self.seen.add(id(value))
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            if not isinstance(item, str | int | float):
                inner = f"{slot.name}[{key!r}]"
                make = _tuple_item if isinstance(value, tuple) else _item
                self.visit(item, make(inner, slot.root, slot.code, slot if isinstance(value, tuple) else value, key))

    def _code_or_object(self, value: Any, slot: Slot) -> None:
        keeps = callable(getattr(type(value), "cache_clear", None)) or "cache_clear" in getattr(value, "__dict__", ())
        if keeps and not isinstance(value, type):
            self.found.caches.append(value)
        if isinstance(value, FunctionType):
            if is_first_party(str(value.__globals__.get("__name__")), self.home):
                self._function(value)
            self._attributes(vars(value), value.__name__, slot)  # a decorator keeps what it wraps there
        elif isinstance(value, MethodType):
            self.visit(value.__func__, slot)
            self.visit(value.__self__, slot)
        elif isinstance(value, functools.partial):
            self._partial(value, slot)
        elif isinstance(value, type):
            self._class(value, slot)
        elif not isinstance(value, ModuleType):
            self._object(value, slot)

    def _partial(self, value: "functools.partial[Any]", slot: Slot) -> None:
        self.visit(value.func, slot)
        for key in value.keywords:
            self.visit(value.keywords[key], _item(key, slot.root, slot.code, value.keywords, key))
        for place, item in enumerate(value.args):
            self.visit(item, _bound(f"argument {place}", slot, value, place))

    def _class(self, value: type, slot: Slot) -> None:
        if is_first_party(value.__module__, self.home):
            for name, member in list(vars(value).items()):
                inner = getattr(member, "__func__", getattr(member, "fget", member))
                self.visit(inner, _attribute(f"{value.__name__}.{name}", name, slot.code, value, name))

    def _object(self, value: Any, slot: Slot) -> None:
        ours = is_first_party(type(value).__module__, self.home) or type(value).__module__ in ("types", "functools")
        if not ours:
            return
        self.visit(type(value), slot)
        self._attributes(getattr(value, "__dict__", {}), slot.name, slot)
        for name in [each for kind in type(value).__mro__ for each in getattr(kind, "__slots__", ())]:
            if hasattr(value, name):
                self.visit(getattr(value, name), _attribute(f"{slot.name}.{name}", slot.root, slot.code, value, name))

    def _attributes(self, values: Any, owner: str, slot: Slot) -> None:
        for name in list(values):
            self.visit(values[name], _item(f"{owner}.{name}", slot.root or owner, slot.code, values, name))

    def _function(self, function: FunctionType) -> None:
        for code in nested(function.__code__):
            self.found.codes.append(code)
            self._names(code, function.__globals__)
        code = function.__code__
        for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
            try:
                value = cell.cell_contents
            except ValueError:  # not filled yet
                continue
            self._bound_anew(name, code, _cell(name, code, cell))
            self.visit(value, _cell(name, code, cell))
        for place, value in enumerate(function.__defaults__ or ()):
            name = code.co_varnames[code.co_argcount - len(function.__defaults__ or ()) + place]
            self.visit(value, _default(name, code, function, place))
        for name, value in (function.__kwdefaults__ or {}).items():
            self.visit(value, _item(name, name, code, function.__kwdefaults__, name))

    def _names(self, code: CodeType, scope: dict[str, Any]) -> None:
        """Follow the global names that a code reads, what it takes from modules of ours, and what it imports."""
        modules = []
        for name in _globals_read(code, scope):
            value = scope[name]
            self._bound_anew(name, code, _item(name, name, code, scope, name))
            if isinstance(value, ModuleType):
                modules.append(value)
            else:
                self.visit(value, _item(name, name, code, scope, name))
        imported = [step.argval for step in dis.get_instructions(code) if step.opname == "IMPORT_NAME"]
        modules += [sys.modules[name] for name in imported if name in sys.modules]
        for module in modules:
            if is_first_party(module.__name__, self.home):
                for name in set(code.co_names) & set(vars(module)):
                    value = vars(module)[name]
                    if not isinstance(value, ModuleType):
                        self.visit(value, _item(f"{module.__name__}.{name}", name, code, vars(module), name))

    def _bound_anew(self, name: str, code: CodeType, slot: Slot) -> None:
        stores = {"STORE_GLOBAL", "STORE_DEREF"}
        if any(each.opname in stores and each.argval == name for each in dis.get_instructions(code)):
            self.found.memory.append(slot)


def _globals_read(code: CodeType, scope: Mapping[str, Any]) -> list[str]:
    read = {step.argval for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    if "globals" in read:  # any of them, then
        read |= {name for name, value in scope.items() if isinstance(value, LEAVES)}
    return sorted(name for name in read if name in scope)


def _fixed(name: str, code: CodeType | None, value: Any) -> Slot:
    return Slot(name, name, code, lambda: value, lambda _: None)


def _item(name: str, root: str, code: CodeType | None, holder: Any, key: Any) -> Slot:
    return Slot(name, root, code, lambda: holder[key], lambda value: holder.__setitem__(key, value))


def _attribute(name: str, root: str, code: CodeType | None, owner: Any, key: str) -> Slot:
    put = type.__setattr__ if isinstance(owner, type) else object.__setattr__
    return Slot(name, root, code, lambda: getattr(owner, key), lambda value: put(owner, key, value))


def _cell(name: str, code: CodeType, cell: Any) -> Slot:
    return Slot(name, name, code, lambda: cell.cell_contents, lambda value: setattr(cell, "cell_contents", value))


def _default(name: str, code: CodeType, function: FunctionType, place: int) -> Slot:
    def put(value: Any) -> None:
        defaults = list(function.__defaults__ or ())
        defaults[place] = value
        function.__defaults__ = tuple(defaults)

    return Slot(name, name, code, lambda: (function.__defaults__ or ())[place], put)


def _tuple_item(name: str, root: str, code: CodeType | None, holder: Slot, place: int) -> Slot:
    def put(value: Any) -> None:
        items = list(holder.get())
        items[place] = value
        make = getattr(type(holder.get()), "_make", tuple)
        holder.put(make(items))

    return Slot(name, root, code, lambda: holder.get()[place], put)


def _bound(name: str, slot: Slot, owner: "functools.partial[Any]", place: int) -> Slot:
    def put(value: Any) -> None:
        arguments = list(owner.args)
        arguments[place] = value
        set_state: Callable[[Any], None] = owner.__setstate__  # type: ignore[attr-defined]
        set_state((owner.func, tuple(arguments), owner.keywords, vars(owner)))

    return Slot(name, slot.root, slot.code, lambda: owner.args[place], put)
