"""Any scikit-learn classifier as a model: built by a function of yours, saved by skops, its types checked."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd

from leadscore.errors import ModelError
from leadscore.model.base import Explanation
from leadscore.model.contract import kinds_of
from leadscore.model.encoding import CategoryEncoding, Encoding, check_encodings, encoding_from, learn_encoding
from leadscore.model.log_odds import log_odds_of, probability_of
from leadscore.model.registry import registration_of
from leadscore.model.skops_file import read_estimator, require_skops, written_estimator
from leadscore.model.state import many_numbers, read_config, read_state, require, write_state

__all__ = ["SklearnModel", "sklearn_wrapper"]

_ESTIMATOR, _REST = "estimator.skops", "sklearn.json"
_COMPARED = 1_000  # training rows on which an estimator proves to be linear


@dataclass(frozen=True)
class _Fitted:
    estimator: Any
    saved: bytes  # as skops wrote it, once: it would write other bytes the next time
    encodings: dict[str, Encoding]
    typical: np.ndarray  # the encoded lead that reasons start from
    linear: bool


def sklearn_wrapper(build: Callable[[Any, int], Any]) -> type["SklearnModel"]:
    """Return a class for `register_model` around a scikit-learn classifier.

    Parameters
    ----------
    build : callable
        `build(config, seed)` returns an unfitted classifier with `predict_proba`. A config names only what code has
        registered, so no config can ask for a class by its path.

    Examples
    --------
    Above the function stands also `@register_model("naive_bayes", config=BayesModel, library="scikit-learn")`:

    >>> @sklearn_wrapper
    ... def naive_bayes(config, seed):
    ...     from sklearn.naive_bayes import GaussianNB
    ...
    ...     return GaussianNB(var_smoothing=config.var_smoothing)
    >>> naive_bayes.__name__, issubclass(naive_bayes, SklearnModel)
    ('naive_bayes', True)
    """

    def built(_: SklearnModel, config: Any, seed: int) -> Any:  # a method: a run's code_hash follows it to `build`
        return build(config, seed)

    members = {"build": built, "__module__": build.__module__, "__doc__": build.__doc__}
    return type(build.__name__, (SklearnModel,), members)


class SklearnModel:
    """A scikit-learn classifier on the same encoding as `logistic`: scaled numbers, one-hot categories.

    Reasons of a classifier that is linear in the log-odds are exact, as those of `logistic`. For any other, each
    column is changed from a typical lead (medians, most frequent categories) to the lead's own value, one after the
    other, once in the order of the columns and once in reverse; a column's contribution is the mean of what its two
    changes did to the log-odds. That adds up exactly; it is a Shapley value estimated from two orders, so where
    features act together, their shares are rough.
    """

    name: str
    libraries = ("skops",)

    def __init__(self, config: Any, seed: int) -> None:
        self.config = config
        self.seed = seed
        self.warnings: list[str] = []
        self._fitted: _Fitted | None = None

    def build(self, config: Any, seed: int) -> Any:
        """Return an unfitted classifier: the function that `sklearn_wrapper` was given."""
        raise NotImplementedError

    def fit(self, X: pd.DataFrame, y: pd.Series) -> Self:
        """Learn the encoding and fit; an estimator that could not be read back is refused here."""
        require_skops()  # refused before an hour of fitting
        encodings = {name: learn_encoding(X[name], kind) for name, kind in kinds_of(X).items()}
        encoded = _encode(X, encodings)
        estimator = self.build(self.config, self.seed)
        if not hasattr(estimator, "predict_proba"):
            raise ModelError(f"{self.name} builds a {type(estimator).__name__}, which has no predict_proba")
        try:
            estimator.fit(encoded, y.to_numpy())
        except ValueError as error:
            raise ModelError(f"scikit-learn cannot fit {self.name} on {len(X)} rows: {error}") from error
        saved = written_estimator(estimator)
        # what predicts now is what is read back later
        estimator = read_estimator(saved, encoded.shape[1], f"{self.name}: {_ESTIMATOR}")
        linear = _is_linear(estimator, encoded[:_COMPARED])
        self._fitted = _Fitted(estimator, saved, encodings, _encode(_typical(X, encodings), encodings)[0], linear)
        return self

    def predict_proba(self, X: pd.DataFrame) -> pd.Series:
        """Return P(convert)."""
        fitted = require(self._fitted, self.name)
        if fitted.linear:  # a row's own whatever rows stand beside it, which a matrix product does not promise
            return probability_of(self.explain(X).log_odds())
        return pd.Series(_positive(fitted.estimator, _encode(X, fitted.encodings)), index=X.index, dtype="float64")

    def explain(self, X: pd.DataFrame) -> Explanation:
        """Return contributions from a typical lead."""
        fitted = require(self._fitted, self.name)
        if fitted.linear:
            shares, base = _linear(X, fitted)
        else:
            shares, base = _stepwise(X, fitted)
        return Explanation(pd.DataFrame(shares, index=X.index, columns=X.columns), base)

    def save(self, folder: Path) -> None:
        """Write `estimator.skops` and `sklearn.json`."""
        fitted = require(self._fitted, self.name)
        (folder / _ESTIMATOR).write_bytes(fitted.saved)
        encodings = {name: asdict(encoding) for name, encoding in fitted.encodings.items()}
        state = {"encodings": encodings, "typical": fitted.typical.tolist(), "linear": fitted.linear}
        write_state(folder / _REST, self.config, self.seed, state)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; an estimator of types that are not trusted is refused before it is built."""
        saved, content = read_state(folder / _REST), (folder / _ESTIMATOR).read_bytes()
        model = cls(read_config(registration_of(cls.name).config, saved["config"]), saved["seed"])
        encodings = {name: encoding_from(each) for name, each in saved["encodings"].items()}
        typical = np.array(many_numbers(saved["typical"], "typical"))
        width = sum(encoding.width for encoding in encodings.values())
        if typical.shape != (width,):
            raise ValueError(f"the typical lead has not {width} numbers")
        estimator = read_estimator(content, width, f"{cls.name}: {_ESTIMATOR}")
        linear = bool(saved["linear"])
        if linear and np.shape(getattr(estimator, "coef_", 0)) != (1, width):
            raise ValueError(f"a linear classifier has {width} coefficients")
        model._fitted = _Fitted(estimator, content, encodings, typical, linear)
        return model

    def check_columns(self, columns: Mapping[str, str]) -> None:
        """Raise a ValueError unless it was fitted on `columns`."""
        check_encodings(require(self._fitted, self.name).encodings, columns)


def _encode(X: pd.DataFrame, encodings: dict[str, Encoding]) -> np.ndarray:
    return np.column_stack([encoding.encode(X[name]) for name, encoding in encodings.items()])


def _blocks(encodings: dict[str, Encoding]) -> list[slice]:
    ends = np.cumsum([encoding.width for encoding in encodings.values()])
    return [slice(end - encoding.width, end) for encoding, end in zip(encodings.values(), ends, strict=True)]


def _typical(X: pd.DataFrame, encodings: dict[str, Encoding]) -> pd.DataFrame:
    """Return one row: medians, and most frequent categories."""
    values = {
        name: pd.Series([encoding.levels[0] if encoding.levels else None], dtype="str")
        if isinstance(encoding, CategoryEncoding)
        else pd.Series([encoding.median])
        for name, encoding in encodings.items()
    }
    return pd.DataFrame(values, columns=X.columns)


def _positive(estimator: Any, encoded: np.ndarray) -> np.ndarray:
    try:
        with np.errstate(over="ignore"):  # said below
            p: np.ndarray = np.asarray(estimator.predict_proba(encoded)[:, 1], dtype=np.float64)
    except (ValueError, IndexError) as error:  # a number too large for its float32, say
        largest = np.abs(encoded).max()
        raise ModelError(
            f"{type(estimator).__name__} cannot score these {len(encoded)} rows, whose scaled numbers reach "
            f"{largest:.3g}: {' '.join(str(error).split())}"
        ) from error
    return p


def _log_odds(estimator: Any, encoded: np.ndarray) -> np.ndarray:
    log_odds: np.ndarray = log_odds_of(pd.Series(_positive(estimator, encoded))).to_numpy()
    return log_odds


def _is_linear(estimator: Any, encoded: np.ndarray) -> bool:
    """Whether `coef_` and `intercept_` are the log-odds; some classifiers have them and mean something else."""
    coefficients, intercept = (np.asarray(getattr(estimator, name, [])) for name in ("coef_", "intercept_"))
    if coefficients.shape != (1, encoded.shape[1]) or intercept.size != 1:
        return False
    total = pd.Series(encoded @ coefficients[0] + intercept.ravel()[0])
    return bool(np.allclose(probability_of(total), _positive(estimator, encoded), rtol=0, atol=1e-12))


def _linear(X: pd.DataFrame, fitted: _Fitted) -> tuple[np.ndarray, float]:
    coefficients, base = fitted.estimator.coef_[0], float(np.ravel(fitted.estimator.intercept_)[0])
    shares = []
    for (name, encoding), block in zip(fitted.encodings.items(), _blocks(fitted.encodings), strict=True):
        typical = float((fitted.typical[block] * coefficients[block]).sum())
        shares.append(encoding.weigh(X[name], coefficients[block]) - typical)
        base += typical
    return np.column_stack(shares), base


def _stepwise(X: pd.DataFrame, fitted: _Fitted) -> tuple[np.ndarray, float]:
    encoded, blocks = _encode(X, fitted.encodings), _blocks(fitted.encodings)
    shares = np.zeros((len(X), len(blocks)))
    start = _log_odds(fitted.estimator, fitted.typical[None, :])[0]
    for order in (range(len(blocks)), reversed(range(len(blocks)))):
        rows, before = np.tile(fitted.typical, (len(X), 1)), np.full(len(X), start)
        for column in order:
            rows[:, blocks[column]] = encoded[:, blocks[column]]
            after = _log_odds(fitted.estimator, rows)
            shares[:, column] += (after - before) / 2
            before = after
    return shares, float(start)
