"""What the walk produces, as values: windows laid, a dataset built, a run trained. Rooms receive these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from leadscore.bands import Bands
from leadscore.config.schema import Config

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.evaluate import Check, Evaluation
    from leadscore.features import FeatureTable, Plan
    from leadscore.features.audit import AuditReport
    from leadscore.model import CheckedModel
    from leadscore.search import Searched
    from leadscore.split import Fold, Seal, Sides, UnitFold
    from leadscore.store import Store
    from leadscore.tables import Tables
    from leadscore.window import Observations

KEPT_CELLS = 20_000_000  # of validation rows times features: about 40 MB on disk

__all__ = ["Baseline", "Dataset", "FoldResult", "Refit", "TrainedRun", "Windows"]


@dataclass(frozen=True)
class Windows:
    """What is known before any feature is computed: enough for `validate_only`."""

    config: Config
    plan: "Plan"
    tables: "Tables"
    observations: "Observations"
    folds: "list[Fold | UnitFold]"
    store: "Store | None" = None  # the cache that the tables came through; what is computed from them may be kept too
    seal: "Seal | None" = None  # the period kept away; its observations are not among `observations`
    sealed: "Observations | None" = None


@dataclass(frozen=True)
class Dataset:
    """Everything a model is trained and measured on.

    Attributes
    ----------
    config : Config
    plan : Plan
        The columns and what they mean.
    tables : Tables
    observations : Observations
    folds : list of Fold or UnitFold
    table : FeatureTable
        `table.X` has the observations' rows in their order.
    audit : AuditReport or None
        What was tried on the features, and what a person should look at; None where `audit=off`.
    seal : Seal or None
        The period that the observations keep off.
    """

    config: Config
    plan: "Plan"
    tables: "Tables"
    observations: "Observations"
    folds: "list[Fold | UnitFold]"
    table: "FeatureTable"
    audit: "AuditReport | None" = None
    seal: "Seal | None" = None

    @property
    def X(self) -> "pd.DataFrame":
        """The model table (n_observations, n_features), indexed by (`user_id`, `as_of`)."""
        return self.table.X

    @property
    def reviews(self) -> list[str]:
        """What the audit wants a person to look at, a sentence each."""
        return [each.message for each in self.audit.findings] if self.audit else []

    @property
    def y(self) -> "pd.Series":
        """The labels, int8, indexed like `X`."""
        return self.observations.frame["label"].set_axis(self.X.index)


@dataclass(frozen=True)
class Baseline:
    """What a simple rule does on the same validation rows."""

    probability: "pd.Series"
    evaluation: "Evaluation"


@dataclass(frozen=True)
class Refit:
    """A fold fitted once more, on a seeded bootstrap of its training leads."""

    seed: int
    probability: "pd.Series"
    evaluation: "Evaluation"


@dataclass(frozen=True)
class FoldResult:
    """One fold: the model fitted on its training rows and how it did on its validation rows."""

    number: int
    fold: "Fold | UnitFold"
    model: "CheckedModel"
    n_train: int
    n_purged: int
    probability: "pd.Series"
    label: "pd.Series"
    evaluation: "Evaluation"
    baselines: "Mapping[str, Baseline]"
    best_reachable: "Evaluation | None"
    refits: tuple[Refit, ...] = ()
    n_inner: int = 0  # of the training rows, those that the model was tuned on and not fitted on
    sides: "Sides | None" = None  # what training and validation rows have in common


@dataclass(frozen=True)
class TrainedRun:
    """A trained and measured run, not yet recorded.

    Attributes
    ----------
    dataset : Dataset
    config : Config
        Whose model and seed were fitted; usually the dataset's own.
    folds : list of FoldResult
        Earliest first; the last one's model is the run's model.
    metrics : dict
        As in `metrics.json`: the mean over the folds, each fold beside it.
    compared : mapping of str to mapping
        `this run`, each baseline and, in a simulated world, `best reachable`: metric to its mean over the folds.
    importance : DataFrame
        Mean absolute contribution of each feature on validation rows (20,000 a fold at most): mean over the folds,
        least, most.
    importance_scale : str
        Of these: `log-odds`, or, where isotonic calibration comes after them, `log-odds before calibration`.
    effects : list of dict
        Partial dependence of the last fold's model on the strongest features.
    bands : Bands
        Of the last fold's model.
    checks : list of Check
    warnings : list of str
        What the models had to say about their fits.
    search : Searched or None
        What was tried before, and with which parameters the folds' models were fitted; None: with the config's.
    """

    dataset: Dataset
    config: Config
    folds: list[FoldResult]
    metrics: dict[str, Any]
    compared: "Mapping[str, Mapping[str, float | None]]"
    importance: "pd.DataFrame"
    importance_scale: str
    effects: list[dict[str, Any]]
    bands: Bands
    checks: "list[Check]"
    warnings: list[str] = field(default_factory=list)
    search: "Searched | None" = None

    @property
    def model(self) -> "CheckedModel":
        """The last fold's model: what was evaluated is what is kept."""
        return self.folds[-1].model

    @property
    def valid_features(self) -> "pd.DataFrame | None":
        """The features of the validation rows, `user_id` and `as_of` before them; None where they are too many to keep.

        A row that validates in several folds stands once.
        """
        X = self.dataset.X
        rows = sum((result.fold.valid(self.dataset.observations.frame) for result in self.folds), start=False)
        valid = rows.to_numpy().astype(bool)
        if valid.sum() * X.shape[1] > KEPT_CELLS:
            return None
        return X[valid].copy().reset_index()  # a copy is one block: many are slow to add columns to

    @property
    def predictions(self) -> "pd.DataFrame":
        """The validation predictions of all folds and fits: user_id, as_of, fold, seed, label, probability.

        The first fit of each fold, whose model is kept, has the run's own seed.
        """
        import pandas as pd

        pieces = [
            probability.rename("probability")
            .reset_index()
            .assign(fold=result.number, seed=seed, label=result.label.to_numpy())
            for result in self.folds
            for seed, probability in [
                (self.config.seed, result.probability),
                *((each.seed, each.probability) for each in result.refits),
            ]
        ]
        return pd.concat(pieces, ignore_index=True)[["user_id", "as_of", "fold", "seed", "label", "probability"]]
