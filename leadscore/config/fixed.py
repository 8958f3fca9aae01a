"""A run has a name because what it asks is fixed: not left to the clock, the shell or chance."""

import dataclasses
import re
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from leadscore.config.schema import HASHED_GROUPS

__all__ = ["unfixed_parts"]

NAMED = (*HASHED_GROUPS, "seed")
_RESOLVER = re.compile(r"(?<!\\)(?:\\\\)*\$\{\s*([\w.]+)\s*:")
_MARK = re.compile("\0(.+?)\0")


def unfixed_parts(tree: DictConfig) -> list[str]:
    """Return a sentence for each hashed value that a resolver makes: `${oc.env:...}`, `${now:...}`.

    A reference to another key, `${window.horizon}`, is fixed when that key is.

    Parameters
    ----------
    tree : DictConfig
        The composed run without Hydra's own node.
    """
    written = OmegaConf.to_container(tree, resolve=False)
    if not _RESOLVER.search(str(written)):
        return []
    # A copy without types, in which each text with a resolver is a mark that resolves to itself.
    marked = OmegaConf.create(_marked(written))
    return [
        f"{where}: a value made by ${{{resolver}:...}} would differ from one start to the next, and the run's name "
        f"would not say what was asked; write the value itself. (Paths, notes and tracking may use ${{oc.env:...}}.)"
        for where, resolver in _unfixed(tree, marked)
    ]


def _marked(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _marked(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_marked(value) for value in node]
    found = _RESOLVER.search(node) if isinstance(node, str) else None
    return f"\0{found[1]}\0" if found else node


def _unfixed(tree: DictConfig, marked: Any) -> Iterator[tuple[str, str]]:
    for key in NAMED:
        yield from _in_key(tree, marked, key, key)


def _in_key(typed: Any, marked: Any, key: Any, where: str) -> Iterator[tuple[str, str]]:
    """Yield where a hashed value rests on a resolver, and which."""
    if OmegaConf.is_missing(marked, key):
        return
    try:
        value = marked[key]
    except Exception as error:  # a reference into nothing is another check's matter, unless a mark led there
        value = str(error)
    if not isinstance(value, DictConfig | ListConfig):
        if found := _MARK.search(str(value)):
            yield where, found[1]
        return
    inner = None if OmegaConf.is_interpolation(typed, key) else typed[key]
    unhashed = _unhashed(inner)
    keys: list[Any] = list(range(len(value))) if isinstance(value, ListConfig) else list(value)
    for each in keys:
        if each not in unhashed:
            yield from _in_key(inner, value, each, f"{where}.{each}")


def _unhashed(node: Any) -> set[str]:
    schema = OmegaConf.get_type(node)
    if not dataclasses.is_dataclass(schema):
        return set()
    return {
        field.name
        for field in dataclasses.fields(schema)
        if not field.metadata.get("identity", True) and not field.metadata.get("searched")
    }
