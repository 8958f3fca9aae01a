"""skops files: which types are trusted, what shape a file may have, and trees that cannot lead out of their arrays.

skops builds nothing of a type that is not trusted, and never falls back to pickle. Asked here besides, before skops
sees the file: that it is a plain archive, and that scikit-learn's trees, which are read without a look by C code, fit
together. A forged estimator of another kind (the support vectors of a machine, say) may still crash Python.
"""

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np

from leadscore.errors import ModelError

__all__ = ["TRUSTED", "read_estimator", "require_skops", "written_estimator"]

# What an estimator may be made of besides what skops knows to be harmless. It stands here and nowhere else: a saved
# model has no say in what is trusted. None of these runs code of a file.
TRUSTED = (
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
)
_SCHEMA = "schema.json"
_ENTRY = re.compile(r"\d{1,20}\.np[yz]|schema\.json")
_LEAF = -1


def written_estimator(estimator: Any) -> bytes:
    """Return a fitted estimator as skops writes it."""
    content: bytes = require_skops().dumps(estimator)
    return content


def read_estimator(content: bytes, width: int, name: str) -> Any:
    """Return the estimator in a skops file.

    Parameters
    ----------
    content : bytes
    width : int
        Columns of the table that it will be asked about.
    name : str
        Of the file, for messages.

    Raises
    ------
    ModelError
        When skops is not installed, the file is not what skops writes, or has a type that is not trusted. Then
        nothing of it was built.
    """
    skops = require_skops()
    try:
        _check_archive(content, width)
        untrusted = sorted(set(skops.get_untrusted_types(data=content)) - set(TRUSTED))
        if not untrusted:
            return skops.loads(content, trusted=list(TRUSTED))
    except Exception as error:  # whatever a damaged or foreign file makes of its reader
        raise ModelError(f"{name} cannot be read ({type(error).__name__}: {error})") from None
    raise ModelError(
        f"{name} has {len(untrusted)} types that leadscore does not trust: {', '.join(untrusted)}; nothing of it was "
        f"built. Which types are trusted is fixed in leadscore's code."
    )


def require_skops() -> Any:
    """Return `skops.io`; a ModelError that says what to install where it is absent."""
    try:
        import skops.io
    except ImportError:
        msg = "a wrapped scikit-learn model is saved by skops, which is not installed: pip install 'leadscore[skops]'"
        raise ModelError(msg) from None
    return skops.io


def _check_archive(content: bytes, width: int) -> None:
    """Refuse what skops never writes: compressed entries (a bomb), other names, or one name twice."""
    with ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
        odd = [entry.filename for entry in entries if not _ENTRY.fullmatch(entry.filename)]
        if odd:
            raise ValueError(f"{odd[0][:80]!r} is no entry of a skops file")
        if len({entry.filename for entry in entries}) != len(entries):
            raise ValueError("two entries have one name")
        stored = all(entry.compress_type == ZIP_STORED for entry in entries)
        if not stored or sum(entry.file_size for entry in entries) > len(content):
            raise ValueError("its entries are compressed or overlap, and skops stores them as they are")
        named: dict[Any, list[Any]] = {}
        nodes = list(_nodes(json.loads(archive.read(_SCHEMA))))
        for node in nodes:
            same = named.setdefault(node.get("__id__"), [])
            if node not in same:
                same.append(node)
        for node in nodes:
            if node.get("__class__") == "Tree" or node.get("__loader__") == "TreeNode":
                _check_tree(_Parts(archive, named), node, width)


def _nodes(content: Any) -> Iterator[dict[str, Any]]:
    """Yield every mapping of a schema: all objects are among them."""
    waiting = [content]
    while waiting:
        each = waiting.pop()
        if isinstance(each, dict):
            yield each
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def _check_tree(parts: "_Parts", node: dict[str, Any], width: int) -> None:
    first, classes, last = parts.content(node["__reduce__"]["args"], "TupleNode")
    state = parts.content(node["content"], "DictNode")
    nodes, values = parts.array(state["nodes"]), parts.array(state["values"])
    n = len(nodes)
    if (parts.integer(first), parts.integer(last)) != (width, 1) or parts.array(classes).shape != (1,) or not n:
        raise ValueError(f"a tree has no node, several outcomes, or other columns than {width}")
    if parts.integer(state["node_count"]) != n or values.shape[:2] != (n, 1):
        raise ValueError("a tree has not one value for each node")
    left, right, feature = (nodes[name].astype("int64") for name in ("left_child", "right_child", "feature"))
    inner, at = left != _LEAF, np.arange(n)
    for child in (left[inner], right[inner]):
        if not ((child > at[inner]) & (child < n)).all():  # a walk must come to an end
            raise ValueError("the children of a tree's node do not come after it")
    if ((feature[inner] < 0) | (feature[inner] >= width)).any():
        raise ValueError(f"a tree splits a column that is none of the {width}")


@dataclass(frozen=True)
class _Parts:
    """What a tree is made of, read as skops would read it: of two objects with one id it takes the first for both."""

    archive: ZipFile
    named: dict[Any, list[Any]]

    def content(self, node: dict[str, Any], loader: str, where: str = "content") -> Any:
        number = node.get("__id__")
        if node["__loader__"] != loader or (number is not None and len(self.named[number]) > 1):
            raise ValueError(f"a part of a tree is no {loader}, or something else has its id")
        return node[where]

    def integer(self, node: dict[str, Any]) -> int:
        return int(json.loads(self.content(node, "JsonNode")))

    def array(self, node: dict[str, Any]) -> np.ndarray:
        if (node["__module__"], node["__class__"], node["type"]) != ("numpy", "ndarray", "numpy"):
            raise ValueError("a part of a tree is no array")
        name = self.content(node, "NdArrayNode", "file")
        array: np.ndarray = np.load(io.BytesIO(self.archive.read(name)), allow_pickle=False)
        return array
