"""LightGBM's text, checked to the last token: its own parser ends Python, or never ends, where a number is wrong.

LightGBM reads a tree without asking whether its nodes and arrays fit together. A manifest keeps damage away from it,
but is no signature; so what a tree may be is asked here, before a parser written in C++ sees it.
"""

import re
from collections.abc import Iterator

import numpy as np

__all__ = ["checked_trees"]

_INT = r"-?\d{1,10}"
_NUMBER = r"(?:-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|-?inf|-?nan)"
_INTS, _NUMBERS = (re.compile(rf"(?:{each}(?: {each})*)?") for each in (_INT, _NUMBER))
_LONGEST = 10_000_000  # of a file's numbers in one array
# LightGBM explains a tree by one call for each level, and a process has room for some tens of thousands.
_DEEPEST = 10_000
_SPLITS = ("split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child")
_MEANS = ("internal_value", "internal_weight", "internal_count")
_LEAVES = ("leaf_value", "leaf_weight", "leaf_count")
_WHOLE = {"split_feature", "decision_type", "left_child", "right_child", "leaf_count", "internal_count"}
_CATEGORY, _NO_MISSING_KIND = 1, 12  # bits of decision_type; its two bits of the kind of missing values go up to 2
_END = "end of trees"


def checked_trees(text: str) -> str:
    """Return the part of a saved model that LightGBM needs: the header and the trees.

    Parameters
    ----------
    text : str
        As `Booster.model_to_string` gives it.

    Raises
    ------
    ValueError
        When it is not what LightGBM writes for a 0/1 outcome.
    """
    head, found, rest = text.partition("\n\n")
    trees, ended, _ = rest.partition(f"{_END}\n")
    if not found or not ended:
        raise ValueError(f"there is no header, or no '{_END}'")
    width, sizes = _header(head)
    at = 0
    if sum(sizes) != len(trees):
        raise ValueError(f"tree_sizes add up to {sum(sizes):,} and the trees have {len(trees):,} characters")
    for number, size in enumerate(sizes):
        try:
            _check_tree(trees[at : at + size], number, width)
        except ValueError as error:
            raise ValueError(f"tree {number}: {error}") from None
        at += size
    return f"{head}\n\n{trees}{_END}\n"


def _header(head: str) -> tuple[int, list[int]]:
    """Return how many features there are, and how many characters each tree has."""
    first, *lines = head.split("\n")
    stated = _pairs(lines)
    due = {
        "version": r"v[34]",
        "num_class": "1",
        "num_tree_per_iteration": "1",
        "label_index": "0",
        "max_feature_idx": r"\d{1,6}",
        "objective": "binary sigmoid:1",
        "feature_names": r"f0(?: f\d+)*",
        "monotone_constraints": r"(?:-?[01](?: -?[01])*)?",
        "feature_infos": r"[!-~]+(?: [!-~]+)*",
        "tree_sizes": r"[1-9]\d{0,9}(?: [1-9]\d{0,9})*",
    }
    if first != "tree" or set(stated) - {"monotone_constraints"} != set(due) - {"monotone_constraints"}:
        raise ValueError("its header has other lines")
    wrong = [name for name, value in stated.items() if not re.fullmatch(due[name], value)]
    if wrong:
        raise ValueError(f"its header says {wrong[0]}={stated[wrong[0]][:40]}")
    width = int(stated["max_feature_idx"]) + 1
    if stated["feature_names"].split() != [f"f{position}" for position in range(width)]:
        raise ValueError(f"it has {width} features, and feature_names are others")
    for name in ("feature_infos", "monotone_constraints"):
        if stated.get(name) and len(stated[name].split()) != width:
            raise ValueError(f"it has {width} features, and {name} are {len(stated[name].split())}")
    return width, [int(size) for size in stated["tree_sizes"].split()]


def _pairs(lines: list[str]) -> dict[str, str]:
    pairs = dict(line.split("=", 1) for line in lines if "=" in line)
    if len(pairs) != len(lines):
        raise ValueError("a line is no NAME=VALUE, or stands twice")
    return pairs


def _check_tree(text: str, number: int, width: int) -> None:
    start = f"Tree={number}\n"
    if not text.startswith(start) or not text.endswith("\n\n\n"):
        raise ValueError("it does not begin or end where tree_sizes says")
    stated = _pairs(text[len(start) : -3].split("\n"))
    leaves, categories = (_whole(stated, name, 1)[0] for name in ("num_leaves", "num_cat"))
    if not (1 <= leaves <= _LONGEST and 0 <= categories < leaves):
        raise ValueError(f"it has {leaves:,} leaves and splits {categories:,} categories")
    names = ["num_leaves", "num_cat", *_SPLITS, *_LEAVES, *_MEANS, "is_linear", "shrinkage"]
    names += ["cat_boundaries", "cat_threshold"] if categories else []
    if set(stated) != set(names) or stated["is_linear"] != "0":
        raise ValueError("it has other lines than a tree of constants")
    of_nodes = dict.fromkeys((*_SPLITS, *_MEANS), leaves - 1)
    # a tree of one leaf has no weight, and older ones no count
    of_leaves = {name: leaves for name in _LEAVES if leaves > 1 or name == "leaf_value" or stated[name]}
    arrays = {
        name: (_whole if name in _WHOLE else _numbers)(stated, name, length)
        for name, length in {**of_nodes, **of_leaves, "shrinkage": 1}.items()
    }
    # an infinite threshold splits all numbers from what is missing
    if np.isnan(arrays["threshold"]).any() or not np.isfinite(arrays["leaf_value"]).all():
        raise ValueError("a threshold or a leaf's value is not a number")
    split, kind = arrays["split_feature"], arrays["decision_type"]
    if ((split < 0) | (split >= width)).any():
        raise ValueError(f"it splits a feature that is none of the {width}")
    if ((kind < 0) | (kind >= _NO_MISSING_KIND)).any():
        raise ValueError("it splits in a way that is none of LightGBM's")
    _check_shape(arrays["left_child"], arrays["right_child"], leaves)
    _check_categories(stated, arrays["threshold"][kind & _CATEGORY == _CATEGORY], categories)


def _whole(stated: dict[str, str], name: str, length: int) -> np.ndarray:
    return _array(stated, name, length, _INTS, np.int64)


def _numbers(stated: dict[str, str], name: str, length: int) -> np.ndarray:
    return _array(stated, name, length, _NUMBERS, np.float64)


def _array(stated: dict[str, str], name: str, length: int, form: re.Pattern[str], kind: type) -> np.ndarray:
    value = stated.get(name)
    if value is None or not form.fullmatch(value):
        raise ValueError(f"{name} is missing or has something else than numbers")
    array: np.ndarray = np.array(value.split(), dtype=kind)
    if len(array) != length or (kind is np.int64 and (np.abs(array) > np.iinfo(np.int32).max).any()):
        raise ValueError(f"{name} has {len(array):,} numbers instead of {length:,}, or too large ones")
    return array


def _check_shape(left: np.ndarray, right: np.ndarray, leaves: int) -> None:
    """Refuse what is no tree: each node but the first, and each leaf, hangs below one node that stands before it."""
    if leaves == 1:
        return
    children, nodes = np.concatenate([left, right]), np.arange(leaves - 1)
    inner, above = children >= 0, np.concatenate([nodes, nodes])
    due = np.concatenate([np.arange(-leaves, 0), nodes[1:]])  # leaf i is -1 - i
    if not np.array_equal(np.sort(children), due) or (children[inner] <= above[inner]).any():
        raise ValueError("its nodes do not hang together as a tree")
    depth = [1] * (leaves - 1)
    for child, parent in sorted(zip(children[inner].tolist(), above[inner].tolist(), strict=True)):
        depth[child] = depth[parent] + 1
    if max(depth) > _DEEPEST:
        raise ValueError(f"it is deeper than {_DEEPEST:,} splits")


def _check_categories(stated: dict[str, str], used: np.ndarray, categories: int) -> None:
    if not categories:
        if len(used):
            raise ValueError("it splits a category, and has none")
        return
    borders = _whole(stated, "cat_boundaries", categories + 1)
    words = list(_words(stated["cat_threshold"]))
    rising = borders[0] == 0 and (np.diff(borders) > 0).all() and borders[-1] == len(words)
    if not rising or not np.isin(used, np.arange(categories)).all():
        raise ValueError("its categories and their codes do not fit together")


def _words(text: str) -> Iterator[int]:
    """Yield the 32 codes at a time that go left, as one number each."""
    if not _INTS.fullmatch(text):
        raise ValueError("cat_threshold has something else than numbers")
    for word in text.split():
        if not 0 <= int(word) < 2**32:
            raise ValueError("cat_threshold has too large numbers")
        yield int(word)
