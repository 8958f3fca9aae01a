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
from leadscore.model.sampling import Sampling

__all__ = ["CheckedModel"]


class CheckedModel:
    """A model whose every call is checked before and after, which may be undersampled and calibrated.

    Columns are matched by name, never by position; the model inside gets them in the order of training. Undersampling
    and calibration stand here, outside of all models; calibration is learned on the whole inner fold.

    Parameters
    ----------
    model : Model
        The model inside, also at `.inner`.
    columns : mapping of str to str, optional
        Column to `number` or `category`, when the model inside is fitted already.
    calibration : str or Calibration
        As in `model.calibration`, or what was learned already.
    sampling : Sampling, optional
        Which training rows the model inside is fitted on; None: on all of them.
    """

    def __init__(
        self,
        model: Model,
        columns: Mapping[str, str] | None = None,
        calibration: str | Calibration = "none",
        sampling: Sampling | None = None,
    ) -> None:
        self.inner = model
        self.name = model.name
        self._columns = None if columns is None else dict(columns)
        self.calibration = None if isinstance(calibration, str) else calibration
        self._asked = calibration if isinstance(calibration, str) else calibration.asked
        self.sampling = sampling
        self._own_warnings: list[str] = []

    @property
    def columns(self) -> dict[str, str]:
        """Return the columns fitted on, name to `number` or `category`; a ModelError when unfitted."""
        if self._columns is None:
            raise ModelError(f"The model {self.name} is not fitted yet: call fit(X, y) first.")
        return dict(self._columns)

    @property
    def warnings(self) -> list[str]:
        """Return what the last fit wants people to know, one sentence each."""
        return [*getattr(self.inner, "warnings", []), *self._own_warnings]

    def in_words(self) -> list[str]:
        """Return the fitted model in sentences, where it can be told in some; else none."""
        _ = self.columns
        tells = getattr(self.inner, "in_words", None)
        return [] if tells is None else list(tells())

    @property
    def by_row(self) -> bool:
        """Whether a row's probability is the same, to the last bit, whatever rows are asked about with it."""
        return bool(getattr(self.inner, "by_row", False)) and self.calibration is None and self.sampling is None

    @property
    def wants_held_out(self) -> bool:
        """Whether the model is tuned on rows of the training period that it is not fitted on."""
        return self._inner_wants or self._asked != "none"

    @property
    def _inner_wants(self) -> bool:
        return bool(getattr(self.inner, "wants_held_out", False))

    @property
    def uncalibrated(self) -> "CheckedModel":
        """Return the fitted model inside, held to the same contract, without the calibration that follows it."""
        return CheckedModel(self.inner, self.columns, sampling=self.sampling)

    def fit(self, X: pd.DataFrame, y: pd.Series, held_out: tuple[pd.DataFrame, pd.Series] | None = None) -> Self:
        """Fit on the training rows; see `check_training` for what is refused with a ModelError.

        `held_out` is the inner fold, for a model or a calibration that wants one and for no other.
        """
        columns = check_training(X, y)
        if self.wants_held_out != (held_out is not None):
            wants = "wants an inner fold and got none" if self.wants_held_out else "wants no inner fold and got one"
            raise ModelError(f"{self.name} {wants}: `held_out` goes with `wants_held_out`")
        self._columns = self.calibration = None  # a fit that fails leaves no half-old model behind
        self._own_warnings = []
        inner_fold = []
        if held_out is not None:
            check_training(*held_out, "rows of the inner fold")
            inner_fold = [(align(held_out[0], columns, self.name), held_out[1].copy())]
        parts = [(X[list(columns)], y.copy()), *(inner_fold if self._inner_wants else [])]
        if self.sampling is not None:
            self.sampling = self.sampling.learn(y)
            self._own_warnings += self.sampling.warnings
            # trees are stopped on rows that are like those they are grown on
            drawn = [self.sampling.rows(labels, part) for part, (_, labels) in enumerate(parts)]
            parts = [(table.iloc[rows], labels.iloc[rows]) for rows, (table, labels) in zip(drawn, parts, strict=True)]
        (table, labels), *held = parts
        self.inner.fit(table, labels, *held)
        if held_out is not None and self._asked != "none":
            p = self._scores(align(held_out[0], columns, self.name))
            self.calibration, warnings = fit_calibration(self._asked, p, held_out[1])
            self._own_warnings += warnings
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
        """Return the probabilities before calibration."""
        p = self._inner_scores(aligned)
        return p if self.sampling is None else self.sampling.apply(p)

    def _inner_scores(self, aligned: pd.DataFrame) -> pd.Series:
        p = self.inner.predict_proba(aligned)
        check_probabilities(p, aligned, self.name)
        return p

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return contributions in the rows and columns of X, proven to add up to the log-odds on their scale."""
        return self.predict_and_explain(X)[1]

    def predict_and_explain(self, X: pd.DataFrame) -> tuple[pd.Series, Explanation]:
        """Return what `predict_proba` and `explain` do, in the time of one: the proof needs the probabilities."""
        aligned = align(X, self.columns, self.name)
        if not len(X):
            raise ModelError(f"There is nothing for {self.name} to explain: X has no rows.")
        p = self._inner_scores(aligned)
        explanation = self.inner.explain(aligned)
        check_explanation(explanation, p, aligned, self.name)
        if self.sampling is not None:
            p, explanation = self.sampling.apply(p), self.sampling.explain(explanation)
        if self.calibration is not None:
            p, explanation = self.calibration.apply(p), self.calibration.map.explain(explanation)
        if list(X.columns) != list(aligned.columns):
            explanation = replace(explanation, contributions=explanation.contributions[list(X.columns)])
        return p.rename("probability"), explanation

    def save(self, folder: Path) -> None:
        """Write the files of the model inside; `save_model` also writes the manifest that guards them."""
        _ = self.columns  # refuses an unfitted model
        self.inner.save(folder)
        for each in (self.calibration, self.sampling):
            if each is not None:
                each.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Refuse: which model lies in a folder, and whether to trust it, is the manifest's to say."""
        raise ModelError(f"Read a saved model with load_model({str(folder)!r}), which checks it first.")
