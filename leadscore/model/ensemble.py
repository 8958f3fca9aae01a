"""The mean of several models, on the scale on which their reasons add up."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pandas as pd

from leadscore.config.schema import EnsembleModel, ModelConfig
from leadscore.errors import ModelError
from leadscore.model.base import ChecksColumns, Explanation, Model
from leadscore.model.log_odds import bounded, log_odds_of, probability_of
from leadscore.model.registry import register_model, registration_of
from leadscore.model.state import read_config, read_state, require, write_state

__all__ = ["Ensemble"]

_FILE = "ensemble.json"
_COMPARED = 1_000  # rows on which the seeds of a member are held against each other


@register_model("ensemble", config=EnsembleModel)
class Ensemble:
    """The mean log-odds of each member fitted with each of `seeds` seeds, all counting alike.

    Contributions are the means of the members' contributions. A member's log-odds count up to 20 (a probability of
    1 - 2e-9): one that is certain does not outvote all others.
    """

    name: str

    def __init__(self, config: EnsembleModel, seed: int) -> None:
        if not config.members:
            raise ModelError("an ensemble needs at least one member: model.members is empty")
        self.config = config
        self.seed = seed
        self.warnings: list[str] = []
        self._fitted: list[Model] | None = None

    @property
    def wants_held_out(self) -> bool:
        """Whether a member is tuned on rows that it is not fitted on; then none is fitted on them."""
        return any(_wants_held_out(model) for _, model in self._unfitted())

    @property
    def libraries(self) -> list[str]:
        """The packages that do the members' work."""
        named = [registration_of(member.name).library for member in self.config.members.values()]
        own = [each for _, model in self._unfitted() for each in getattr(model, "libraries", [])]
        return [each for each in (*named, *dict.fromkeys(own)) if each is not None]

    def _unfitted(self) -> Iterator[tuple[str, Model]]:
        # by label: the order in which members are written has no place in a run's name, so it moves no last bit
        for label, member in sorted(self.config.members.items()):
            for number in range(self.config.seeds):
                # no seed of one run is a seed of the next
                yield label, registration_of(member.name).cls(member, self.seed * self.config.seeds + number)

    def fit(self, X: pd.DataFrame, y: pd.Series, held_out: tuple[pd.DataFrame, pd.Series] | None = None) -> Self:
        """Fit every member on the same rows."""
        fitted: dict[str, list[Model]] = {}
        for label, model in self._unfitted():
            inner_fold = [(held_out[0].copy(), held_out[1].copy())] if held_out and _wants_held_out(model) else []
            fitted.setdefault(label, []).append(model.fit(X.copy(), y.copy(), *inner_fold))
        said = {f"{label}: {line}": None for label, models in fitted.items() for each in models for line in _said(each)}
        self.warnings = [*said, *_alike(fitted, X[:_COMPARED])]
        self._fitted = [model for models in fitted.values() for model in models]
        return self

    def predict_proba(self, X: pd.DataFrame) -> pd.Series:
        """Return P(convert)."""
        fitted = require(self._fitted, self.name)
        total = pd.Series(0.0, index=X.index)
        for model in fitted:
            total += log_odds_of(model.predict_proba(X.copy()))
        return probability_of(total / len(fitted))

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return the means of the members' contributions, and of their bases."""
        fitted = require(self._fitted, self.name)
        contributions, base = pd.DataFrame(0.0, index=X.index, columns=X.columns), 0.0
        for model in fitted:
            explanation = bounded(model.explain(X.copy()))
            contributions += explanation.contributions
            base += explanation.base
        return Explanation(contributions / len(fitted), base / len(fitted))

    def save(self, folder: Path) -> None:
        """Write `ensemble.json` and each member's own files, its number before their names."""
        fitted = require(self._fitted, self.name)
        write_state(folder / _FILE, self.config, self.seed, {"members": len(fitted)})
        for number, model in enumerate(fitted):
            own = folder / f"{number}"
            own.mkdir()
            model.save(own)
            for path in sorted(own.iterdir()):
                path.rename(folder / f"{number}-{path.name}")
            own.rmdir()

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote."""
        saved = read_state(folder / _FILE)
        members = {label: _config(member) for label, member in saved["config"].pop("members").items()}
        model = cls(EnsembleModel(**saved["config"], members=members), saved["seed"])
        asked = len(members) * model.config.seeds
        if asked != saved["members"] or not 0 < asked < len(list(folder.iterdir())):
            raise ValueError(f"{saved['members']} members are saved and {asked} were asked for")
        kinds = [type(each) for _, each in model._unfitted()]
        model._fitted = [_load(kind, folder, f"{number}-") for number, kind in enumerate(kinds)]
        return model

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """Raise a ValueError unless each member that can tell was fitted on `columns`."""
        for model in require(self._fitted, self.name):
            if isinstance(model, ChecksColumns):
                model.check_columns(columns)


def _config(member: dict[str, Any]) -> ModelConfig:
    return read_config(registration_of(member["name"]).config, member)


def _load(kind: Any, folder: Path, prefix: str) -> Model:
    """Give a member the folder that it wrote, of its files alone."""
    with tempfile.TemporaryDirectory() as own:
        for path in folder.glob(f"{prefix}*"):
            shutil.copyfile(path, Path(own) / path.name.removeprefix(prefix))
        model: Model = kind.load(Path(own))
        return model


def _wants_held_out(model: Model) -> bool:
    return bool(getattr(model, "wants_held_out", False))


def _said(model: Model) -> list[str]:
    return list(getattr(model, "warnings", []))


def _alike(fitted: dict[str, list[Model]], X: pd.DataFrame) -> list[str]:
    """Say which members are the same model several times."""
    return [
        f"{label}: all {len(models)} seeds give the same scores, since {models[0].name} as configured draws nothing at "
        "random: model.seeds=1 does the same"
        for label, models in fitted.items()
        if len(models) > 1 and models[0].predict_proba(X.copy()).equals(models[1].predict_proba(X.copy()))
    ]
