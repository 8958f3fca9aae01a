"""Any model, ours or a user's, held to the contract from outside."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

import pandas as pd

from leadscore.errors import ModelError
from leadscore.model.base import Explanation, Model
from leadscore.model.calibration import Calibration, fit_calibration
from leadscore.model.contract import (
    align,
    check_explanation,
    check_probabilities,
    check_training,
)

__all__ = ["CheckedModel"]


class CheckedModel:
    """A model whose every call is checked before and after, and whose probabilities may be calibrated.

    Columns are matched by name, never by position; the model inside gets them in the order of training. Calibration
    stands here, outside of all models, and is learned on the inner fold.

    Parameters
    ----------
    model : Model
        The model inside, also at `.inner`.
    columns : mapping of str to str, optional
        Column to `number` or `category`, when the model inside is fitted already.
    calibration : str or Calibration
        As in `model.calibration`, or what was learned already.
    """

    def __init__(
        self, model: Model, columns: Mapping[str, str] | None = None, calibration: str | Calibration = "none"
    ) -> None:
        self.inner = model
        self.name = model.name
        self._columns = None if columns is None else dict(columns)
        self.calibration = None if isinstance(calibration, str) else calibration
        self._asked = calibration if isinstance(calibration, str) else calibration.asked
        self._calibration_warnings: list[str] = []

    @property
    def columns(self) -> dict[str, str]:
        """Return the columns fitted on, name to `number` or `category`; a ModelError when unfitted."""
        if self._columns is None:
            raise ModelError(f"The model {self.name} is not fitted yet: call fit(X, y) first.")
        return dict(self._columns)

    @property
    def warnings(self) -> list[str]:
        """Return what the last fit wants people to know, one sentence each."""
        return [*getattr(self.inner, "warnings", []), *self._calibration_warnings]

    @property
    def by_row(self) -> bool:
        """Whether a row's probability is the same, to the last bit, whatever rows are asked about with it."""
        return bool(getattr(self.inner, "by_row", False)) and self.calibration is None

    @property
    def wants_held_out(self) -> bool:
        """Whether the model is tuned on rows of the training period that it is not fitted on."""
        return self._inner_wants or self._asked != "none"

    @property
    def _inner_wants(self) -> bool:
        return bool(getattr(self.inner, "wants_held_out", False))

    def fit(self, X: pd.DataFrame, y: pd.Series, held_out: tuple[pd.DataFrame, pd.Series] | None = None) -> Self:
        """Fit on the training rows; see `check_training` for what is refused with a ModelError.

        `held_out` is the inner fold, for a model or a calibration that wants one and for no other.
        """
        columns = check_training(X, y)
        if self.wants_held_out != (held_out is not None):
            wants = "wants an inner fold and got none" if self.wants_held_out else "wants no inner fold and got one"
            raise ModelError(f"{self.name} {wants}: `held_out` goes with `wants_held_out`")
        self._columns = self.calibration = None  # a fit that fails leaves no half-old model behind
        self._calibration_warnings = []
        inner_fold = []
        if held_out is not None:
            check_training(*held_out, "rows of the inner fold")
            inner_fold = [(align(held_out[0], columns, self.name), held_out[1].copy())]
        self.inner.fit(X[list(columns)], y.copy(), *(inner_fold if self._inner_wants else []))
        if held_out is not None and self._asked != "none":
            p = self._scores(align(held_out[0], columns, self.name))
            self.calibration, self._calibration_warnings = fit_calibration(self._asked, p, held_out[1])
        self._columns = columns
        return self

    def predict_proba(self, X: pd.DataFrame) -> pd.Series:
        """Return P(convert), a float64 Series in [0, 1] with the index of X; no rows give no rows."""
        aligned = align(X, self.columns, self.name)
        if not len(X):
            return pd.Series([], index=X.index, dtype="float64", name="probability")
        p = self._scores(aligned)
        if self.calibration is not None:
            p = self.calibration.apply(p)
        return p.rename("probability")

    def _scores(self, aligned: pd.DataFrame) -> pd.Series:
        """Return the probabilities of the model inside, before calibration."""
        p = self.inner.predict_proba(aligned)
        check_probabilities(p, aligned, self.name)
        return p

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return contributions in the rows and columns of X, proven to add up to the log-odds on their scale."""
        aligned = align(X, self.columns, self.name)
        if not len(X):
            raise ModelError(f"There is nothing for {self.name} to explain: X has no rows.")
        explanation = self.inner.explain(aligned)
        check_explanation(explanation, self._scores(aligned), aligned, self.name)
        if self.calibration is not None:
            explanation = self.calibration.map.explain(explanation)
        return replace(explanation, contributions=explanation.contributions[list(X.columns)])

    def save(self, folder: Path) -> None:
        """Write the files of the model inside; `save_model` also writes the manifest that guards them."""
        _ = self.columns  # refuses an unfitted model
        self.inner.save(folder)
        if self.calibration is not None:
            self.calibration.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Refuse: which model lies in a folder, and whether to trust it, is the manifest's to say."""
        raise ModelError(f"Read a saved model with load_model({str(folder)!r}), which checks it first.")
