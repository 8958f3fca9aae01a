"""LightGBM's trees, read from its text format, and what each column adds in them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np

from leadscore.errors import ModelError

__all__ = ["Forest"]

Array = np.ndarray[Any, Any]
_KINDS = {
    "split_feature": int,
    "decision_type": int,
    "threshold": float,
    "left_child": int,
    "right_child": int,
    "internal_count": float,
    "leaf_value": float,
    "leaf_count": float,
    "cat_boundaries": int,
    "cat_threshold": np.uint32,
}


@dataclass(frozen=True)
class Forest:
    """Trees whose outputs are added up.

    Attributes
    ----------
    n_columns : int
    trees : list of dict of str to ndarray
        As LightGBM's text names them. A child below zero is a leaf, -1 the first.
    """

    n_columns: int
    trees: list[dict[str, Array]]

    @classmethod
    def of_text(cls, text: str, n_columns: int) -> Self:
        """Read what `Booster.model_to_string` wrote; a ModelError when a tree is none."""
        trees = [_tree(block) for block in text.split("\nTree=")[1:]]
        for number, tree in enumerate(trees):
            _check(tree, number, n_columns)
        return cls(n_columns, trees)

    @cached_property
    def base(self) -> float:
        """What the trees add on average over the training rows."""
        return sum(float(np.average(tree["leaf_value"], weights=tree["leaf_count"])) for tree in self.trees)

    def contributions(self, numbers: Array, threads: int = 1) -> Array:
        """Return SHAP values, (n, n_columns); with `base` they add up to the trees' sum.

        Parameters
        ----------
        numbers : ndarray of float (n, n_columns)
            As LightGBM gets them: categories as codes, NaN is missing.
        threads : int
            Each row's values are its own, however many there are.
        """
        from leadscore.model.shap_kernel import add_contributions

        compiled = self._compiled

        def of(rows: Array) -> Array:
            out = np.zeros(rows.T.shape)
            add_contributions(np.ascontiguousarray(rows.T), *compiled, out)
            return out.T

        if threads == 1:
            return of(numbers)
        with ThreadPoolExecutor(threads) as pool:  # the compiled loop lets other threads run
            return np.concatenate(list(pool.map(of, np.array_split(numbers, threads))))

    @cached_property
    def _compiled(self) -> tuple[Any, ...]:
        from leadscore.model.shap_kernel import Nodes, Paths, quadrature

        splits = [tree for tree in self.trees if len(tree["leaf_value"]) > 1]
        ways = [list(_ways(tree)) for tree in splits]
        nodes = Nodes(
            first=_starts(len(tree["split_feature"]) for tree in splits),
            column=_joined([tree["split_feature"] for tree in splits], int),
            decision=_joined([tree["decision_type"] for tree in splits], int),
            threshold=_joined([tree["threshold"] for tree in splits], float),
            **_bits(splits),
        )
        flat = [way for each in ways for way in each]
        steps, places = [way.steps for way in flat], [way.shares for way in flat]
        paths = Paths(
            first=_starts(map(len, ways)),
            value=np.array([way.value for way in flat], dtype=float),
            step=_starts(map(len, steps)),
            node=np.array([node for each in steps for node, _, _ in each], dtype=int),
            left=np.array([left for each in steps for _, left, _ in each], dtype=bool),
            place_of=np.array([place for each in steps for _, _, place in each], dtype=int),
            place=_starts(map(len, places)),
            column=np.array([column for each in places for column in each], dtype=int),
            share=np.array([share for each in places for share in each.values()], dtype=float),
        )
        return nodes, paths, *quadrature(max(map(len, places), default=0))


@dataclass(frozen=True)
class _Way:
    """The way to one leaf: (node, whether it goes left, place of its column), and each column's share."""

    value: float
    steps: list[tuple[int, bool, int]]
    shares: dict[int, float]


def _ways(tree: dict[str, Array]) -> Iterator[_Way]:
    columns, counts = tree["split_feature"], tree["internal_count"]
    open_ways: list[tuple[int, list[tuple[int, bool, int]], dict[int, float]]] = [(0, [], {})]
    while open_ways:
        at, steps, shares = open_ways.pop()
        if at < 0:
            yield _Way(float(tree["leaf_value"][~at]), steps, shares)
            continue
        column = int(columns[at])
        for left, side in ((False, "right_child"), (True, "left_child")):
            child = int(tree[side][at])
            rows = tree["leaf_count"][~child] if child < 0 else counts[child]
            told = {**shares, column: shares.get(column, 1.0) * float(rows / counts[at])}
            open_ways.append((child, [*steps, (at, left, list(told).index(column))], told))


def _tree(block: str) -> dict[str, Array]:
    lines = (line.partition("=") for line in block.split("\n\n", 1)[0].splitlines())
    said = {name: values.split() for name, _, values in lines}
    return {name: np.array(said.get(name, []), dtype=kind) for name, kind in _KINDS.items()}


def _check(tree: dict[str, Array], number: int, n_columns: int) -> None:
    """Refuse what a compiled loop, which looks at no border, would read beside its arrays."""
    n, leaves = len(tree["split_feature"]), len(tree["leaf_value"])
    per_split = ("decision_type", "threshold", "left_child", "right_child", "internal_count")
    whole = leaves == n + 1 and len(tree["leaf_count"]) == leaves and all(len(tree[name]) == n for name in per_split)
    if whole and n:
        column, categories = tree["split_feature"], tree["threshold"][tree["decision_type"] & 1 == 1]
        borders = tree["cat_boundaries"]
        whole = bool(((column >= 0) & (column < n_columns)).all())
        children = np.stack([tree["left_child"], tree["right_child"]])
        each_once = np.concatenate([np.arange(-leaves, 0), np.arange(1, n)])
        whole &= np.array_equal(np.sort(children, axis=None), each_once)
        whole &= bool(((children < 0) | (children > np.arange(n))).all())  # so a walk comes to an end
        whole &= bool(((categories >= 0) & (categories < len(borders) - 1)).all())
        whole &= bool((np.diff(borders) >= 0).all() and (borders >= 0).all())
        whole &= not len(borders) or bool(borders[-1] <= len(tree["cat_threshold"]))
        whole &= bool((tree["internal_count"] > 0).all() and (tree["leaf_count"] > 0).all())
    if not whole:
        raise ModelError(f"tree {number} of LightGBM's text is no whole tree: its columns, children or counts are off")


def _bits(trees: list[dict[str, Array]]) -> dict[str, Array]:
    """Return each split's slice of the bits of all trees, and them; a number's is empty."""
    begins, ends, shift = [], [], 0
    for tree in trees:
        is_category = tree["decision_type"] & 1 == 1
        which = np.where(is_category, tree["threshold"], 0).astype(int)
        borders = tree["cat_boundaries"] if len(tree["cat_boundaries"]) else np.zeros(2, dtype=int)
        begins.append(shift + np.where(is_category, borders[which], 0))
        ends.append(shift + np.where(is_category, borders[which + is_category], 0))
        shift += len(tree["cat_threshold"])
    bits = _joined([tree["cat_threshold"] for tree in trees], np.uint32)
    return {"bits_from": _joined(begins, int), "bits_to": _joined(ends, int), "bits": bits}


def _starts(lengths: Any) -> Array:
    return np.concatenate([[0], np.cumsum(list(lengths))]).astype(int)


def _joined(arrays: list[Array], kind: Any) -> Array:
    return np.concatenate([np.zeros(0, dtype=kind), *arrays]).astype(kind)
