"""What a trained run hands over to scoring, beside the model itself."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from leadscore.profiles import ColumnProfile
from leadscore.results import TrainedRun
from leadscore.serving import Serving
from leadscore.times import format_duration

__all__ = ["serving_of"]

NAMED = ("run_id", "config_hash", "code_hash", "identity")


def serving_of(run: TrainedRun, identity: Mapping[str, Any]) -> Serving:
    """Return what the run's model knows of its training: of the last fold, whose model is kept."""
    from leadscore.explain import describe

    dataset, last = run.dataset, run.folds[-1]
    rows = dataset.observations.frame
    train = last.fold.train(rows).to_numpy()
    X = dataset.X[train]
    return Serving(
        dictionary=describe(dataset.plan.column_steps),
        window=asdict(run.config.window),
        horizon=format_duration(dataset.observations.horizon.to_pytimedelta()),
        trained_until=rows["as_of"][train].max().isoformat(),
        identity={key: identity.get(key) for key in NAMED},
        profile={str(name): ColumnProfile.of(X[name]) for name in X.columns},
        score_profile=ColumnProfile.of(last.probability),
        bands=run.bands,
        base_rate=float(dataset.y[train].mean()),
    )
