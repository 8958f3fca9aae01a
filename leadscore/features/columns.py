"""Columns of earlier builds, kept in the store: changing one feature computes one feature."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from leadscore.store import Store

__all__ = ["StoredColumns"]

Array = np.ndarray[Any, Any]
KIND, FILE, VALUES = "column", "column.arrow", "values"


class StoredColumns:
    """A `ColumnCache` on disk.

    Parameters
    ----------
    store : Store
    keys : mapping of str to str
        For each feature, the hash of all that decides its values: its code and parameters, those of what it takes,
        the data, the observations, the engine, the libraries' versions. A feature without a key is not kept.
    """

    def __init__(self, store: Store, keys: Mapping[str, str]) -> None:
        self.store, self.keys = store, keys

    def get(self, name: str) -> Array | None:
        """Return a column's values, if they are known."""
        folder = self.store.find(KIND, self.keys[name]) if name in self.keys else None
        if folder is None:
            return None
        try:
            with pa.memory_map(str(folder / FILE)) as source:
                values = pa.ipc.open_file(source).get_batch(0).column(VALUES)
        except OSError:  # another run has just pruned it
            return None
        if pa.types.is_floating(values.type):
            numbers: Array = values.to_numpy(zero_copy_only=False)
            return numbers
        texts: Array = values.cast(pa.large_string()).to_pandas().astype("str").astype(object).to_numpy()
        return texts

    @contextmanager
    def making(self, names: Iterable[str]) -> Iterator[None]:
        """Be the only process that makes these columns: another one waits, and then finds them."""
        with ExitStack() as locks:
            for key in sorted({self.keys[name] for name in names if name in self.keys}):  # one order for all
                locks.enter_context(self.store.making(KIND, key))
            yield

    def put(self, name: str, values: Any) -> None:
        """Keep a column's values: numbers as they are, NaN included, texts as codes of the different ones."""
        if name not in self.keys:
            return
        if isinstance(values, np.ndarray) and values.dtype.kind == "f":
            column = pa.array(values, from_pandas=False)
        else:
            column = pa.array(values, pa.large_string(), from_pandas=True).dictionary_encode()

        def write(folder: Path) -> None:
            batch = pa.record_batch({VALUES: column})
            with pa.OSFile(str(folder / FILE), "wb") as file, pa.ipc.new_file(file, batch.schema) as writer:
                writer.write_batch(batch)

        self.store.keep(KIND, self.keys[name], write, f"{name}, {len(values):,} observations")
