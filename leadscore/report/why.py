"""Why leads got their scores: importance, effects, and a few leads with their reasons."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from leadscore.errors import LeadscoreError
from leadscore.report.parts import Parts
from leadscore.report.picture import Picture
from leadscore.report.plots.dots import Dot, bars
from leadscore.report.plots.effect import effect

__all__ = ["Example", "effect_pictures", "example_leads", "importance_picture"]

STRONGEST = 15
EACH = 2  # examples high, middle and low
WAYS = {"rises": "more raises the score", "falls": "more lowers the score"}


@dataclass(frozen=True)
class Example:
    """One lead of the last fold.

    Attributes
    ----------
    place : {'high', 'middle', 'low'}
    user_id, as_of : str
    probability : float
    band : str
    converted : bool
    reasons : list of str
    """

    place: str
    user_id: str
    as_of: str
    probability: float
    band: str
    converted: bool
    reasons: list[str]


def importance_picture(parts: Parts) -> Picture | None:
    """Return the strongest features; the table has all. None where the model says nothing of any."""
    metrics = parts.metrics
    assert metrics is not None
    importance, folds = metrics["importance"], len(metrics["folds"])
    shown = [each for each in importance[:STRONGEST] if each["importance"] > 0]
    if not shown:
        return None
    more = len(importance) - len(shown)
    scale = metrics.get("importance_scale", "log-odds")  # recorded since there are other scales
    spread = f"; lines: the least and the most in one of {folds} folds" if folds > 1 else " over the one fold"
    return bars(
        Picture(
            "importance",
            "Importance",
            f"{f'the {len(shown)} strongest of ' if more else ''}{len(importance)} features",
            "Strongest first: "
            + ", ".join(f"{each['feature']} {each['importance']:.3f}" for each in shown[:5])
            + (f" and {len(importance) - 5} more." if len(importance) > 5 else "."),
            headings=("feature", "importance", "least in a fold", "most in a fold", "direction"),
            rows=[_importance_row(each) for each in importance],
            note=f"How far a feature moves a validation lead's score, on average ({scale}){spread}.",
        ),
        [Dot(each["feature"], each["importance"], each["least"], each["most"]) for each in shown],
        f"mean absolute contribution ({scale.partition(',')[0]})",
    )


def _importance_row(each: Mapping[str, Any]) -> tuple[str, ...]:
    numbers = (f"{each[key]:.3f}" for key in ("importance", "least", "most"))
    return (each["feature"], *numbers, WAYS.get(each["direction"], ""))


def effect_pictures(parts: Parts) -> list[Picture]:
    """Return the effect of each of the strongest features."""
    assert parts.metrics is not None
    serving = parts.serving
    units = {each.name: each.unit for each in serving.dictionary} if serving else {}
    profile = serving.profile if serving else {}
    return [
        effect(number, found, profile.get(found["feature"]), units.get(found["feature"], ""))
        for number, found in enumerate(parts.metrics["effects"])
    ]


def example_leads(parts: Parts) -> tuple[list[Example], str]:
    """Return leads of the last fold, high, in the middle and low, with their reasons, or why there are none."""
    from leadscore.explain import reasons

    fold, values, serving = parts.last_fold, parts.features, parts.serving
    if serving is None:
        return [], "The run kept no model."
    if values is None:
        return [], "The run had too many validation rows to keep their features."
    try:
        model = parts.run.model
    except LeadscoreError as error:  # a team's own model, and nobody has named its module
        return [], f"The model cannot be loaded here: {error}"
    places = _places(len(fold))
    chosen = fold.iloc[[at for at, _ in places]]
    keys = ["user_id", "as_of"]
    X = chosen[keys].merge(values, on=keys, how="left", sort=False).set_index(keys)[list(model.columns)]
    told = reasons(model.explain(X), X, serving.dictionary).filter(like="reason_")
    bands = serving.bands.of(chosen["probability"])
    return [
        Example(
            place=place,
            user_id=str(row["user_id"]),
            as_of=f"{row['as_of']:%Y-%m-%d %H:%M}",
            probability=float(row["probability"]),
            band=str(band),
            converted=bool(row["label"]),
            reasons=[text for text in texts if text],
        )
        for (_, place), (_, row), band, texts in zip(
            places, chosen.iterrows(), bands, told.itertuples(index=False, name=None), strict=True
        )
    ], ""


def _places(n: int) -> list[tuple[int, str]]:
    """Return which rows of a fold, the highest first, are shown.

    Examples
    --------
    >>> _places(9)
    [(0, 'high'), (1, 'high'), (3, 'middle'), (4, 'middle'), (7, 'low'), (8, 'low')]
    >>> _places(2)
    [(0, 'high'), (1, 'high')]
    """
    wanted: list[tuple[int, str]] = [
        *((at, "high") for at in range(EACH)),
        *((at, "middle") for at in range(n // 2 - EACH // 2, n // 2 - EACH // 2 + EACH)),
        *((at, "low") for at in range(n - EACH, n)),
    ]
    first: dict[int, str] = {}
    for at, place in wanted:
        if 0 <= at < n:
            first.setdefault(at, place)
    return list(first.items())
