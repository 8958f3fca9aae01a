"""`data_hash` and `validation_hash`: the whole content, whatever the order of its rows or the files it came in."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from leadscore.identity.asked import digest
from leadscore.tables import Tables

__all__ = ["data_hash", "frame_hash", "validation_hash"]


def data_hash(tables: Tables) -> str:
    """Return the hash of both tables as they are after the edge, and of the instant they are complete up to."""
    return digest(
        {
            "leads": frame_hash(tables.leads),
            "events": None if tables.log is None else tables.log.content,
            "data_end": tables.data_end.isoformat(),
            "attributes": dict(tables.attributes),
        }
    )


def validation_hash(validation: pd.DataFrame, horizon: pd.Timedelta) -> str:
    """Hash the validation rows (`user_id`, `as_of`, `label`) and the horizon; comparable runs share it."""
    rows = frame_hash(validation[["user_id", "as_of", "label"]])
    return digest({"rows": rows, "horizon_seconds": horizon.total_seconds()})


def frame_hash(frame: pd.DataFrame) -> str:
    """Return the sha256 of a frame's content: names, dtypes and every cell; row order aside.

    Each row is hashed to 64 bits, the row hashes are sorted, and the sorted bytes are hashed. A row that stands
    twice counts twice.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    >>> frame_hash(frame) == frame_hash(frame.iloc[::-1])
    True
    >>> frame_hash(frame) == frame_hash(frame.assign(b=["x", ""]))
    False
    """
    ordered = frame[sorted(frame.columns)]
    kinds: Mapping[str, Any] = {str(name): str(dtype) for name, dtype in ordered.dtypes.items()}
    rows = np.sort(pd.util.hash_pandas_object(ordered, index=False).to_numpy())
    content = hashlib.sha256(rows.astype("<u8").tobytes()).hexdigest()
    return digest({"columns": kinds, "rows": len(frame), "content": content})
