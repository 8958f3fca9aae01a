"""How different the two sides of a fold are: leads on both, and whether a model can tell the sides apart."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Sides", "compare_sides"]

Array = np.ndarray[Any, Any]
SAMPLE = 1_500  # rows of each side: the standard error of an AUC of 0.5 is then 0.011
FEWEST = 30  # rows of a side
BINS = 8
LEVELS = 20
PARTS = 3  # of the cross-validation


@dataclass(frozen=True)
class Sides:
    """What two sides have in common.

    Attributes
    ----------
    valid_leads, leads_in_both : int
        Leads of the validation rows, and those among them that have training rows too.
    adversarial_auc : float or None
        Cross-validated AUC of telling validation rows from training rows by their features: 0.5 where they are alike.
    most_telling : str or None
        The feature that tells most by itself, and `most_telling_auc`, how much.
    rows : int
        Rows of both sides that were compared; a sample where there are many.
    reason : str or None
        Why there is no AUC.
    """

    valid_leads: int
    leads_in_both: int
    adversarial_auc: float | None = None
    most_telling: str | None = None
    most_telling_auc: float | None = None
    rows: int = 0
    reason: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return asdict(self)

    @property
    def told_apart(self) -> tuple[float, str] | None:
        """The AUC and the feature that tells most; None where there is no AUC."""
        if self.adversarial_auc is None or self.most_telling is None:
            return None
        return self.adversarial_auc, self.most_telling


def compare_sides(X_train: pd.DataFrame, X_valid: pd.DataFrame, seed: int = 0) -> Sides:
    """Compare the rows that train with those that validate.

    Parameters
    ----------
    X_train, X_valid : DataFrame (n_rows, n_features)
        Indexed by (`user_id`, `as_of`); columns float64 or str, NaN where missing.
    seed : int
        Of the sample and of the cross-validation's parts.

    Examples
    --------
    >>> rows = lambda name, values: pd.DataFrame({"x": values}, index=pd.MultiIndex.from_product(
    ...     [[f"{name}{i}" for i in range(len(values))], [0]], names=["user_id", "as_of"]))
    >>> sides = compare_sides(rows("a", np.arange(50.0)), rows("b", np.arange(50.0) + 100))
    >>> sides.adversarial_auc, sides.most_telling, sides.leads_in_both
    (1.0, 'x', 0)
    """
    train_leads = X_train.index.get_level_values("user_id")
    valid_leads = X_valid.index.get_level_values("user_id").unique()
    leads = len(valid_leads), int(valid_leads.isin(train_leads).sum())
    smaller = min(len(X_train), len(X_valid))
    if smaller < FEWEST:
        return Sides(*leads, reason=f"a side has {smaller} rows, and at least {FEWEST} are needed")
    rng = np.random.default_rng([seed, len(X_train), len(X_valid)])
    X = pd.concat([_sample(X_train, rng), _sample(X_valid, rng)])
    side = np.repeat([0, 1], [min(SAMPLE, len(X_train)), min(SAMPLE, len(X_valid))])
    part = _parts(X.index.get_level_values("user_id"), rng)
    if any(len(np.unique(side[part != number])) < 2 for number in range(PARTS)):
        return Sides(*leads, reason="too few leads to cross-validate")
    columns = [_bins(X[name]) for name in X.columns]
    score = _held_out(columns, side, part)
    telling = [_auc(side, each) for each in score]
    most = int(np.argmax(telling))
    whole = _auc(side, np.sum(score, axis=0))
    return Sides(*leads, whole, str(X.columns[most]), telling[most], len(X))


def _sample(X: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    return X if len(X) <= SAMPLE else X.iloc[np.sort(rng.choice(len(X), SAMPLE, replace=False))]


def _parts(leads: Any, rng: np.random.Generator) -> Array:
    """Return each row's part of the cross-validation; a lead's rows stay together, so that knowing it is no help."""
    codes, known = pd.factorize(leads)
    part: Array = rng.permutation(len(known))[codes] % PARTS
    return part


def _bins(column: pd.Series) -> Array:
    """Return each value's bin: eighths of the numbers, the commonest categories; missing and all others have theirs."""
    if column.dtype == np.float64:
        values = column.to_numpy()
        missing = np.isnan(values)
        if missing.all():
            return np.zeros(len(values), dtype="int64")
        edges = np.unique(np.quantile(values[~missing], np.linspace(0, 1, BINS + 1)[1:-1]))
        return np.where(missing, len(edges) + 1, np.searchsorted(edges, values, side="left"))
    common = column.value_counts().index[:LEVELS]
    return np.asarray(common.get_indexer(pd.Index(column))) + 1


def _held_out(columns: list[Array], side: Array, part: Array) -> list[Array]:
    """Return what each column adds to each row's log-odds of being a validation row, learned from the other parts."""
    from scipy.sparse import csr_array
    from sklearn.linear_model import LogisticRegression

    widths = [int(column.max()) + 1 for column in columns]
    begins = np.cumsum([0, *widths])
    places = np.column_stack([column + begin for column, begin in zip(columns, begins, strict=False)])
    n, k = places.shape
    cells = csr_array((np.ones(n * k), places.ravel(), np.arange(0, n * k + 1, k)), shape=(n, begins[-1]))
    added = [np.zeros(n) for _ in columns]
    for number in range(PARTS):
        learn, tell = part != number, part == number
        model = LogisticRegression(C=0.1, tol=1e-2, max_iter=1_000).fit(cells[learn], side[learn])
        for column, place in enumerate(places[tell].T):
            added[column][tell] = model.coef_[0][place]
    return added


def _auc(side: Array, score: Array) -> float:
    from scipy.stats import rankdata

    ranks = rankdata(score)
    n = int(side.sum())
    return float((ranks[side == 1].sum() - n * (n + 1) / 2) / (n * (len(side) - n)))
