"""Any model, ours or a user's, held to the contract from outside."""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pandas as pd

from leadscore.errors import ModelError
from leadscore.model.base import Explanation, Model
from leadscore.model.contract import (
    align,
    check_explanation,
    check_probabilities,
    check_training,
)

__all__ = ["CheckedModel"]


class CheckedModel:
    """A model whose every call is checked before and after.

    Columns are matched by name, never by position; the model inside gets them in the order of training.

    Parameters
    ----------
    model : Model
        The model inside, also at `.inner`.
    columns : mapping of str to str, optional
        Column to `number` or `category`, when the model inside is fitted already.
    """

    def __init__(self, model: Model, columns: Mapping[str, str] | None = None) -> None:
        self.inner = model
        self.name = model.name
        self._columns = None if columns is None else dict(columns)

    @property
    def columns(self) -> dict[str, str]:
        """Return the columns fitted on, name to `number` or `category`; a ModelError when unfitted."""
        if self._columns is None:
            raise ModelError(f"The model {self.name} is not fitted yet: call fit(X, y) first.")
        return dict(self._columns)

    @property
    def warnings(self) -> list[str]:
        """Return what the last fit wants people to know, one sentence each."""
        return list(getattr(self.inner, "warnings", []))

    @property
    def wants_held_out(self) -> bool:
        """Whether the model is tuned on rows of the training period that it is not fitted on."""
        return bool(getattr(self.inner, "wants_held_out", False))

    def fit(self, X: pd.DataFrame, y: pd.Series, held_out: tuple[pd.DataFrame, pd.Series] | None = None) -> Self:
        """Fit on the training rows; see `check_training` for what is refused with a ModelError.

        `held_out` is the inner fold, for a model that wants one and for no other.
        """
        columns = check_training(X, y)
        if self.wants_held_out != (held_out is not None):
            wants = "wants an inner fold and got none" if self.wants_held_out else "wants no inner fold and got one"
            raise ModelError(f"{self.name} {wants}: `held_out` goes with `wants_held_out`")
        self._columns = None  # a fit that fails leaves no half-old model behind
        if held_out is None:
            self.inner.fit(X[list(columns)], y.copy())
        else:
            check_training(*held_out)
            self.inner.fit(X[list(columns)], y.copy(), (align(held_out[0], columns, self.name), held_out[1].copy()))  # type: ignore[call-arg]
        self._columns = columns
        return self

    def predict_proba(self, X: pd.DataFrame) -> pd.Series:
        """Return P(convert), a float64 Series in [0, 1] with the index of X; no rows give no rows."""
        aligned = align(X, self.columns, self.name)
        if not len(X):
            return pd.Series([], index=X.index, dtype="float64", name="probability")
        p = self.inner.predict_proba(aligned)
        check_probabilities(p, X, self.name)
        return p.rename("probability")

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return contributions in the rows and columns of X, proven to add up to the log-odds."""
        aligned = align(X, self.columns, self.name)
        if not len(X):
            raise ModelError(f"There is nothing for {self.name} to explain: X has no rows.")
        explanation = self.inner.explain(aligned)
        check_explanation(explanation, self.predict_proba(X), aligned, self.name)
        return Explanation(explanation.contributions[list(X.columns)], explanation.base)

    def save(self, folder: Path) -> None:
        """Write the files of the model inside; `save_model` also writes the manifest that guards them."""
        _ = self.columns  # refuses an unfitted model
        self.inner.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Refuse: which model lies in a folder, and whether to trust it, is the manifest's to say."""
        raise ModelError(f"Read a saved model with load_model({str(folder)!r}), which checks it first.")
