"""Monotone constraints: features of which more never lowers, or never raises, a score."""

from collections.abc import Mapping

from leadscore.errors import ModelError, did_you_mean, raise_all

__all__ = ["DIRECTIONS", "check_monotone", "signs"]

DIRECTIONS = {"rises": 1, "falls": -1}


def check_monotone(monotone: Mapping[str, str], kinds: Mapping[str, str], where: str = "model") -> None:
    """Refuse constraints on what is no number among the columns.

    Parameters
    ----------
    monotone : mapping of str to str
        Column to `rises` or `falls`, as in `model.monotone`.
    kinds : mapping of str to str
        Column to `number` or `category`.
    where : str
        The key under which `monotone` stands.

    Raises
    ------
    ModelError
        Lists every unknown column, category and direction.
    """
    problems = []
    for name, direction in monotone.items():
        if name not in kinds:
            problems.append(f"{where}.monotone names {name!r}, which is not a column. {did_you_mean(name, kinds)}")
        elif kinds[name] != "number":
            problems.append(f"{where}.monotone names {name!r}, which is a category: only a number can rise or fall")
        if direction not in DIRECTIONS:
            problems.append(f"{where}.monotone.{name}: {direction!r} is neither rises nor falls")
    raise_all(ModelError, problems)


def signs(monotone: Mapping[str, str], kinds: Mapping[str, str]) -> list[int]:
    """Return 1, -1 or 0 (free) for each column, as LightGBM and scikit-learn take it; raises as `check_monotone`.

    Examples
    --------
    >>> signs({"sessions": "rises"}, {"country": "category", "sessions": "number"})
    [0, 1]
    """
    check_monotone(monotone, kinds)
    return [DIRECTIONS[monotone[name]] if name in monotone else 0 for name in kinds]
