"""Models by name: a dict with manners. Configs name a model, and only what is registered here can run."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from leadscore.config.schema import ModelConfig
from leadscore.errors import ModelError, did_you_mean
from leadscore.model.checked import CheckedModel
from leadscore.model.sampling import Sampling
from leadscore.pools import Crew

__all__ = ["Registration", "make_model", "model_names", "parts_of", "register_model", "registration_of"]

_METHODS = ("fit", "predict_proba", "explain", "save", "load")
_REGISTRY: dict[str, "Registration"] = {}

ModelClass = TypeVar("ModelClass", bound=type[Any])


@dataclass(frozen=True)
class Registration:
    """One registered model.

    Attributes
    ----------
    name : str
        As in `model=NAME`.
    cls : type
        Built as `cls(config, seed)`.
    config : type
        The dataclass of its parameters, a child of `ModelConfig`.
    library : str or None
        The package whose version a saved model records.
    where : str
        `file:line` of the registration.
    """

    name: str
    cls: type[Any]
    config: type[ModelConfig]
    library: str | None
    where: str


def register_model(
    name: str, *, config: type[ModelConfig], library: str | None = None
) -> Callable[[ModelClass], ModelClass]:
    """Register a class as the model `name`.

    Parameters
    ----------
    name : str
        What configs call it.
    config : type
        The dataclass of its parameters, a child of `ModelConfig` in which every field has a default.
    library : str, optional
        The package that does the work; its version goes into a saved model's manifest.

    Returns
    -------
    callable
        A class decorator; it sets the class attribute `name` and returns the class.

    Raises
    ------
    ModelError
        When another class has the name, or a method of `Model` is missing.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class MyConfig(ModelConfig):
    ...     name: str = "logistic"
    >>> @register_model("logistic", config=MyConfig)  # doctest: +ELLIPSIS
    ... class Mine:
    ...     pass
    Traceback (most recent call last):
    leadscore.errors.ModelError: Model 'logistic' is registered twice: at ...logistic.py:... and at ...
    """
    caller = sys._getframe(1)
    where = f"{caller.f_code.co_filename}:{caller.f_lineno}"

    def register(cls: ModelClass) -> ModelClass:
        earlier = _REGISTRY.get(name)
        if earlier is not None and earlier.where != where:  # the same place again is a reloaded module
            msg = f"Model {name!r} is registered twice: at {earlier.where} and at {where}. Rename one of them."
            raise ModelError(msg)
        absent = [method for method in _METHODS if not callable(getattr(cls, method, None))]
        if absent:
            msg = f"Model {name!r} at {where} lacks {', '.join(absent)}: a model has {', '.join(_METHODS)}."
            raise ModelError(msg)
        cls.name = name
        _REGISTRY[name] = Registration(name, cls, config, library, where)
        return cls

    return register


def model_names() -> list[str]:
    """Return the registered names, sorted."""
    return sorted(_REGISTRY)


def registration_of(name: str) -> Registration:
    """Return what is registered under `name`; an unknown name is a ModelError with the nearest one."""
    if name not in _REGISTRY:
        hint = did_you_mean(name, _REGISTRY, "Registered")
        raise ModelError(f"Unknown model {name!r}. {hint} Your own joins when `plugins` names its module.")
    return _REGISTRY[name]


def parts_of(config: ModelConfig) -> dict[str, ModelConfig]:
    """Return a model's config and those of its members, by the key where each stands.

    Examples
    --------
    >>> from leadscore.config.schema import EnsembleModel, LogisticModel
    >>> list(parts_of(EnsembleModel(members={"line": LogisticModel()})))
    ['model', 'model.members.line']
    """
    members: dict[str, ModelConfig] = getattr(config, "members", {})
    return {"model": config, **{f"model.members.{label}": member for label, member in members.items()}}


def make_model(config: ModelConfig, seed: int, crew: Crew | None = None) -> CheckedModel:
    """Return an unfitted model, held to the contract of `Model`.

    Parameters
    ----------
    config : ModelConfig
        An instance of the dataclass registered under `config.name`.
    seed : int
        Of everything random in fitting, zero or more. The same seed and rows give the same probabilities.
    crew : Crew, optional
        Fits a model whose config asks for several machines.

    Returns
    -------
    CheckedModel
        A `Model` that also has `warnings` (sentences about the last fit) and `columns`.

    Raises
    ------
    ModelError
        When the name is unknown, or the config is of another model.

    Examples
    --------
    >>> from leadscore.config.schema import LogisticModel
    >>> make_model(LogisticModel(), seed=0).name
    'logistic'
    >>> make_model(ModelConfig(name="logistik"), seed=0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    leadscore.errors.ModelError: Unknown model 'logistik'. Did you mean 'logistic'? Registered: baseline, ...
    """
    registration = registration_of(config.name)
    if not isinstance(config, registration.config):
        msg = (
            f"Model {config.name!r} takes a {registration.config.__name__}, not a {type(config).__name__}: "
            f"it is registered at {registration.where}."
        )
        raise ModelError(msg)
    asked = config.negatives_per_positive
    sampling = None if asked is None else Sampling(asked, seed)
    model = registration.cls(config, seed)
    if getattr(config, "machines", 1) > 1:
        model.crew = crew
    return CheckedModel(model, calibration=config.calibration, sampling=sampling)
