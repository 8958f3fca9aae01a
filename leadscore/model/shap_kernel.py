"""SHAP values of trees, compiled: exact, path-dependent, for many rows at once.

Seen from one leaf, a tree is a game [1]_: the leaf counts when every column on the way to it lets the row through, and
a column that is not told lets through the share of training rows that went on there. With `met` 1 or 0, the value of
a set of told columns is the leaf's value times the product of `met` over them and of `share` over all others. A
column's Shapley value is the integral over t from 0 to 1 of this product's derivative where each column is told with
probability t [2]_:

    value * (met[j] - share[j]) * integral of the product over i != j of (t * met[i] + (1 - t) * share[i])

It is a polynomial in t of a degree below the number of columns, which Gauss-Legendre quadrature with half as many
knots integrates exactly. All terms have one sign, so nothing cancels.

References
----------
.. [1] Lundberg et al. (2020), From local explanations to global understanding with explainable AI for trees, Nature
   Machine Intelligence 2, algorithm 1 (`tree_path_dependent`).
.. [2] Owen (1972), Multilinear Extensions of Games, Management Science 18(5).
"""

from typing import Any, NamedTuple

import numpy as np

from leadscore.jit import compiled

__all__ = ["Nodes", "Paths", "add_contributions", "quadrature"]

BLOCK = 128  # rows at once: what is at hand for them stays in the processor's cache
TINY = 1e-35  # what LightGBM takes for zero
CATEGORY, DEFAULT_LEFT = 1, 2  # bits of LightGBM's decision_type; the two above them say what is missing
NOTHING, ZERO = 0, 1


class Nodes(NamedTuple):
    """The splits of all trees, those of tree t from `first[t]` to `first[t + 1]`."""

    first: Any
    column: Any
    decision: Any  # LightGBM's decision_type
    threshold: Any
    bits_from: Any  # where its categories, one bit each, begin and end in `bits`
    bits_to: Any
    bits: Any


class Paths(NamedTuple):
    """The ways to all leaves, those of tree t from `first[t]` to `first[t + 1]`.

    Way p takes the steps from `step[p]` to `step[p + 1]`, and passes the columns from `place[p]` to `place[p + 1]`.
    """

    first: Any
    value: Any
    step: Any
    node: Any  # of each step, counted within its tree
    left: Any  # whether it goes left there
    place_of: Any  # which of the way's columns it asks
    place: Any
    column: Any
    share: Any  # of the training rows at its splits that went on


def quadrature(columns: int) -> tuple[Any, Any]:
    """Return knots and weights on [0, 1], (columns + 1, knots): row d is exact for ways of d columns."""
    knots = np.zeros((columns + 1, max(1, (columns + 1) // 2)))
    weights = np.zeros_like(knots)
    for d in range(1, columns + 1):
        x, w = np.polynomial.legendre.leggauss((d + 1) // 2)
        knots[d, : len(x)], weights[d, : len(x)] = (x + 1) / 2, w / 2
    return knots, weights


@compiled
def goes_left(x: float, decision: int, threshold: float, bits: Any) -> Any:
    """Return what LightGBM's `Tree::Decision` does with a value."""
    if decision & CATEGORY:
        if np.isnan(x) or x <= -1 or x >= 32 * len(bits):
            return False
        code = np.int64(x)
        return (bits[code // 32] >> np.uint32(code % 32)) & np.uint32(1) == 1
    missing = (decision >> 2) & 3
    if missing <= ZERO and np.isnan(x):
        x = 0.0
    if np.isnan(x) or (missing == ZERO and -TINY <= x <= TINY):
        return decision & DEFAULT_LEFT != 0
    return x <= threshold


@compiled
def decide(numbers: Any, nodes: Any, tree: int, left: Any) -> None:
    """Write which rows go left at each node of a tree."""
    for at in range(nodes.first[tree], nodes.first[tree + 1]):
        values, side = numbers[nodes.column[at]], left[at - nodes.first[tree]]
        decision, threshold = nodes.decision[at], nodes.threshold[at]
        bits = nodes.bits[nodes.bits_from[at] : nodes.bits_to[at]]
        for r in range(len(values)):
            side[r] = goes_left(values[r], decision, threshold, bits)


@compiled
def meet(left: Any, paths: Any, path: int, met: Any, rows: int) -> None:
    """Write whether each column of a way lets each row through, 1 or 0."""
    met[: paths.place[path + 1] - paths.place[path]] = 1.0
    for step in range(paths.step[path], paths.step[path + 1]):
        side, wanted, mine = left[paths.node[step]], paths.left[step], met[paths.place_of[step]]
        for r in range(rows):
            mine[r] *= side[r] == wanted


@compiled
def integrate(met: Any, share: Any, knots: Any, weights: Any, mixed: Any, integral: Any, rows: int) -> None:
    """Write for each column the integral of the product over all others."""
    n, product = len(share), mixed[-1]  # the last row is no column's
    integral[:n] = 0.0
    for knot in range((n + 1) // 2):
        t = knots[knot]
        product[:] = weights[knot]
        for j in range(n):
            mine, one, untold = met[j], mixed[j], (1.0 - t) * share[j]
            for r in range(rows):
                one[r] = t * mine[r] + untold
                product[r] *= one[r]
        for j in range(n):
            one, sums = mixed[j], integral[j]
            for r in range(rows):
                sums[r] += product[r] / one[r]


@compiled
def add_contributions(numbers: Any, nodes: Any, paths: Any, knots: Any, weights: Any, out: Any) -> None:
    """Add what each column adds to each row; `numbers` and `out` are (n_columns, n_rows)."""
    most = 1
    for tree in range(len(nodes.first) - 1):
        most = max(most, nodes.first[tree + 1] - nodes.first[tree])
    left = np.zeros((most, BLOCK), dtype=np.bool_)
    met, mixed, integral = np.zeros((len(knots), BLOCK)), np.zeros((len(knots), BLOCK)), np.zeros((len(knots), BLOCK))
    for begin in range(0, numbers.shape[1], BLOCK):
        end = min(begin + BLOCK, numbers.shape[1])
        rows = end - begin
        for tree in range(len(nodes.first) - 1):
            decide(numbers[:, begin:end], nodes, tree, left)
            for path in range(paths.first[tree], paths.first[tree + 1]):
                start, n = paths.place[path], paths.place[path + 1] - paths.place[path]
                share, value = paths.share[start : start + n], paths.value[path]
                meet(left, paths, path, met, rows)
                integrate(met, share, knots[n], weights[n], mixed, integral, rows)
                for j in range(n):
                    target, mine, sums = out[paths.column[start + j], begin:end], met[j], integral[j]
                    for r in range(rows):
                        target[r] += value * (mine[r] - share[j]) * sums[r]
