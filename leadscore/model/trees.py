"""Trees as plain arrays: walked here, written as JSON, the same before saving and after loading."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

__all__ = ["Tree"]

_ARRAYS = ("feature", "threshold", "missing_left", "left", "right", "value")
LEAF = -1


@dataclass(frozen=True)
class Tree:
    """One regression tree. A row begins at node 0, and its children come after a node.

    Attributes
    ----------
    feature : ndarray of int (n_nodes,)
        The column that a node splits; -1 at a leaf.
    threshold : ndarray of float (n_nodes,)
        A number up to it goes left.
    missing_left : ndarray of bool (n_nodes,)
        Whether NaN does.
    left, right : ndarray of int (n_nodes,)
    value : ndarray of float (n_nodes,)
        What a leaf adds to the log-odds; at another node the mean of that over the training rows that came through.
    categories : dict of int to list of int
        Node to the codes that go left, where a category is split.
    """

    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    categories: dict[int, list[int]]

    @classmethod
    def of_nodes(cls, nodes: np.ndarray, bitsets: np.ndarray, columns: Sequence[int]) -> Self:
        """Return the tree that scikit-learn's histogram gradient boosting grew.

        Parameters
        ----------
        nodes : structured ndarray
            `TreePredictor.nodes`.
        bitsets : ndarray of uint32 (n_category_nodes, 8)
            `TreePredictor.raw_left_cat_bitsets`.
        columns : sequence of int
            Its column to ours.
        """
        leaf = nodes["is_leaf"].astype(bool)
        category = nodes["is_categorical"].astype(bool) & ~leaf
        left, right, rows = nodes["left"].astype(int), nodes["right"].astype(int), nodes["count"].astype(float)
        value = np.where(leaf, nodes["value"], 0.0)
        for node in np.flatnonzero(~leaf)[::-1]:
            children = [left[node], right[node]]
            value[node] = (rows[children] * value[children]).sum() / rows[children].sum()
        # "all numbers go left, missing ones right" is an infinite threshold, which JSON does not have
        largest = np.finfo(np.float64).max
        return cls(
            feature=np.where(leaf, LEAF, np.array(columns)[nodes["feature_idx"].astype(int)]),
            threshold=np.where(leaf | category, 0.0, np.clip(nodes["num_threshold"], -largest, largest)),
            missing_left=nodes["missing_go_to_left"].astype(bool),
            left=left,
            right=right,
            value=value,
            categories={int(node): _codes(bitsets[nodes["bitset_idx"][node]]) for node in np.flatnonzero(category)},
        )

    def walk(self, numbers: np.ndarray, contributions: np.ndarray | None = None) -> np.ndarray:
        """Return what the tree adds to each row's log-odds, (n,).

        Parameters
        ----------
        numbers : ndarray of float (n, n_columns)
            Categories as codes.
        contributions : ndarray of float (n, n_columns), optional
            Each split adds to its column how far it moved the row's expected value.
        """
        node, rows = np.zeros(len(numbers), dtype=int), np.arange(len(numbers))
        while len(rows):
            rows = rows[self.feature[node[rows]] != LEAF]
            at = node[rows]
            column = self.feature[at]
            below = np.where(self._goes_left(at, numbers[rows, column]), self.left[at], self.right[at])
            if contributions is not None:
                contributions[rows, column] += self.value[below] - self.value[at]
            node[rows] = below
        added: np.ndarray = self.value[node]
        return added

    def _goes_left(self, at: np.ndarray, x: np.ndarray) -> np.ndarray:
        missing = np.isnan(x)
        left: np.ndarray = np.where(missing, self.missing_left[at], x <= self.threshold[at])
        for node, codes in self.categories.items():
            here = (at == node) & ~missing
            left[here] = np.isin(x[here], codes)
        return left

    @property
    def width(self) -> int:
        """Return how many columns it needs."""
        return int(self.feature.max()) + 1

    def to_json(self) -> dict[str, Any]:
        """Return JSON values."""
        return {**{name: getattr(self, name).tolist() for name in _ARRAYS}, "categories": self.categories}

    @classmethod
    def from_json(cls, saved: dict[str, Any]) -> Self:
        """Return the tree of `to_json`; a ValueError when its arrays are no tree."""
        kinds = (int, float, bool, int, int, float)
        arrays: dict[str, Any] = {
            name: np.array(saved[name], dtype=kind) for name, kind in zip(_ARRAYS, kinds, strict=True)
        }
        n, inner = len(arrays["feature"]), arrays["feature"] != LEAF
        if not n or any(array.shape != (n,) for array in arrays.values()):
            raise ValueError("a tree has no node, or its arrays do not have one value each for a node")
        if (arrays["feature"] < LEAF).any() or not np.isfinite([arrays["threshold"], arrays["value"]]).all():
            raise ValueError("a node splits no column, or its threshold or value is not finite")
        for child in (arrays["left"][inner], arrays["right"][inner]):
            if not ((child > np.flatnonzero(inner)) & (child < n)).all():  # a walk must come to an end
                raise ValueError("a node's children do not come after it")
        categories = {int(node): [int(code) for code in codes] for node, codes in saved["categories"].items()}
        return cls(**arrays, categories=categories)


def _codes(bitset: np.ndarray) -> list[int]:
    return [int(code) for code in range(32 * len(bitset)) if int(bitset[code // 32]) >> (code % 32) & 1]
