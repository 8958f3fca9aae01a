"""One fold's model: which rows it is fitted on, which it is tuned on, and what it predicts for the others."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leadscore.cluster import cluster_of
from leadscore.config.schema import Config
from leadscore.predicting import predicted
from leadscore.results import Dataset

if TYPE_CHECKING:
    import numpy as np

    from leadscore.model import CheckedModel

    Mask = np.ndarray[Any, np.dtype[np.bool_]]

__all__ = ["Fitted", "TrainingParts", "fit_again", "fit_fold"]


@dataclass(frozen=True)
class Fitted:
    """A model fitted on a fold's training rows, with its probabilities of the fold's validation rows."""

    model: "CheckedModel"
    train: "Mask"
    valid: "Mask"
    n_inner: int
    probability: Any


@dataclass(frozen=True)
class TrainingParts:
    """Which of a fold's training rows are fitted on, and which are the inner fold, if there is one.

    Rows whose outcomes reach from the first part into the second are in neither.
    """

    fitted: "Mask"
    held_out: "Mask | None" = None

    @property
    def masks(self) -> "list[Mask]":
        """The parts that there are."""
        return [self.fitted] if self.held_out is None else [self.fitted, self.held_out]

    def fit(self, model: "CheckedModel", X: Any, y: Any, taken: Any = None) -> None:
        """Fit on the training rows, or on those `taken` of them, some perhaps several times."""
        import numpy as np

        rows = np.arange(len(X)) if taken is None else taken
        fitted, *rest = (rows[mask[rows]] for mask in self.masks)
        model.fit(X.iloc[fitted], y.iloc[fitted], *((X.iloc[each], y.iloc[each]) for each in rest))


def fit_fold(dataset: Dataset, config: Config, number: int) -> Fitted:
    """Fit the config's model on a fold's training rows."""
    return _fit(dataset, config, number, 0)


def fit_again(dataset: Dataset, config: Config, number: int, again: int) -> Fitted:
    """Fit a fold once more, on a bootstrap of its training leads: a new seed alone moves few models at all."""
    return _fit(dataset, config, number, again)


def _fit(dataset: Dataset, config: Config, number: int, again: int) -> Fitted:
    from leadscore.model import make_model
    from leadscore.split import resample_leads

    fold, rows, seed = dataset.folds[number], dataset.observations.frame, config.seed + again
    train, valid = fold.train(rows).to_numpy(), fold.valid(rows).to_numpy()
    X, y = dataset.X[train], dataset.y[train]
    cluster = cluster_of(dataset.config.compute)
    model = make_model(config.model, seed, cluster)
    parts = _parts(model, dataset, config, number)
    taken = resample_leads(rows["user_id"][train], y, (seed, number), parts.masks) if again else None
    parts.fit(model, X, y, taken)
    n_inner = 0 if parts.held_out is None else int(parts.held_out.sum())
    return Fitted(model, train, valid, n_inner, predicted(model, dataset.X[valid], cluster))


def _parts(model: "CheckedModel", dataset: Dataset, config: Config, number: int) -> TrainingParts:
    from leadscore.split import inner_fold

    fold, rows = dataset.folds[number], dataset.observations.frame
    train = fold.train(rows).to_numpy()
    if not model.wants_held_out:
        return TrainingParts(train[train])
    fitted, held_out = inner_fold(fold, rows, config.validation.inner_share)
    return TrainingParts(fitted.to_numpy()[train], held_out.to_numpy()[train])
