"""Coefficients in words: by what each column multiplies the odds of a conversion."""

import math
from collections.abc import Mapping

from leadscore.model.encoding import Encoding, NumberEncoding

__all__ = ["in_words"]

_LEVELS = 5  # of a category, those that move the odds most


def in_words(encodings: Mapping[str, Encoding], coefficients: Mapping[str, list[float]]) -> list[str]:
    """Return a sentence for each column, what moves the odds most first.

    Parameters
    ----------
    encodings : mapping of str to Encoding
        Column to how it became numbers.
    coefficients : mapping of str to list of float
        Column to the coefficients of these numbers.

    Examples
    --------
    >>> in_words({"sessions": NumberEncoding(2.0, 3.0, 1.5, False)}, {"sessions": [0.7]})
    ['sessions: 1.5 more (one standard deviation) multiplies the odds by 2.01']
    """
    by_strength = sorted(encodings, key=lambda name: (-max(map(abs, coefficients[name]), default=0.0), name))
    return [f"{name}: {_sentence(encodings[name], coefficients[name])}" for name in by_strength]


def _sentence(encoding: Encoding, own: list[float]) -> str:
    return _number(encoding, own) if isinstance(encoding, NumberEncoding) else _category(encoding.levels, own)


def _number(encoding: NumberEncoding, own: list[float]) -> str:
    said = f"{encoding.scale:.3g} more (one standard deviation) multiplies the odds by {_odds(own[0])}"
    if encoding.flags_missing:
        said += f"; a missing one counts as {encoding.median:.3g} and multiplies them by {_odds(own[1])}"
    return said


def _category(levels: tuple[str | None, ...], own: list[float]) -> str:
    ranked = sorted(zip(own, levels, strict=True), key=lambda pair: (-abs(pair[0]), str(pair[1])))
    each = [f"{'missing' if level is None else level} {_odds(value)}" for value, level in ranked[:_LEVELS]]
    rest = f", and {len(ranked) - _LEVELS} more" if len(ranked) > _LEVELS else ""
    return f"multiplies the odds by {', '.join(each)}{rest}; any other level by 1"


def _odds(coefficient: float) -> str:
    return f"{math.exp(min(coefficient, 700.0)):.3g}"
