"""A model's probabilities for many rows, by a cluster's workers where that changes no bit."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leadscore.cluster import Cluster
    from leadscore.model import Model

__all__ = ["predicted"]

BLOCK_ROWS = 100_000


def predicted(model: "Model", X: Any, cluster: "Cluster | None" = None) -> Any:
    """Return P(convert) for the rows of X.

    A model whose probability for a row depends on that row alone, to the last bit (`by_row`), is asked block by block
    on the workers, where there are several blocks.

    Parameters
    ----------
    model : Model
        Fitted.
    X : DataFrame (n_rows, n_features)
    cluster : Cluster, optional
    """
    import pandas as pd

    if cluster is None or not getattr(model, "by_row", False) or len(X) <= BLOCK_ROWS:
        return model.predict_proba(X)
    firsts = range(0, len(X), BLOCK_ROWS)
    units = ((first, model, X.iloc[first : first + BLOCK_ROWS].reset_index(drop=True)) for first in firsts)
    blocks = dict(cluster.map(_predict, units))
    whole = pd.concat([blocks[first] for first in firsts])
    return whole.set_axis(X.index)


def _predict(unit: tuple[int, "Model", Any]) -> tuple[int, Any]:
    first, model, X = unit
    return first, model.predict_proba(X)
