"""The columns: what each says in words, how it is defined, what is missing, and how far validation has drifted."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leadscore.report.parts import Parts
from leadscore.report.picture import Picture
from leadscore.report.plots.dots import Dot, dots
from leadscore.report.words import looks_at, name_in_words, nothing_said, sentence
from leadscore.serving import Described

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Column", "drift_picture", "read_columns"]

LISTED = 15
LONGEST = 3_000  # characters of a definition


@dataclass(frozen=True)
class Column:
    """One column of the model table.

    Attributes
    ----------
    name, title, meaning, looks_at, unit, nothing : str
    definition : str
        The function's source, or the declaration in the config; "" where neither was kept.
    missing, missing_valid, no_events_valid : float or None
        Shares of rows, of training and of validation: without a value, and with the value of a lead without events.
    psi, by_chance : float or None
        How far validation lies from training, and what chance alone stays below in 95 of 100 cases.
    """

    name: str
    title: str
    meaning: str
    looks_at: str
    unit: str
    nothing: str
    definition: str
    missing: float | None = None
    missing_valid: float | None = None
    no_events_valid: float | None = None
    psi: float | None = None
    by_chance: float | None = None

    @property
    def moved(self) -> bool:
        """Whether it moved by more than chance, and by what the field calls some change."""
        return self.psi is not None and self.by_chance is not None and self.psi > max(self.by_chance, 0.1)


def read_columns(parts: Parts) -> list[Column]:
    """Return the columns in the order of the model table; none where the run did not get to a model."""
    serving = parts.serving
    if serving is None:
        return []
    valid = _last_rows(parts)
    return [_column(parts, each, valid) for each in serving.dictionary]


def _last_rows(parts: Parts) -> "pd.DataFrame | None":
    """Return the features of the last fold's validation rows."""
    if parts.features is None:
        return None
    keys = parts.last_fold[["user_id", "as_of"]]
    return keys.merge(parts.features, on=["user_id", "as_of"], how="left", sort=False)


def _column(parts: Parts, each: Described, valid: "pd.DataFrame | None") -> Column:
    assert parts.serving is not None
    profile = parts.serving.profile[each.name]
    seen: dict[str, Any] = {"missing": profile.missing}
    if valid is not None and len(valid):
        values = valid[each.name]
        seen |= {
            "missing_valid": float(values.isna().mean()),
            "no_events_valid": None if each.no_events is None else float((values == each.no_events).mean()),
            "psi": profile.psi(values),
            "by_chance": profile.psi_by_chance(len(values)),
        }
    return Column(
        name=each.name,
        title=name_in_words(each.name),
        meaning=sentence(each.meaning),
        looks_at=looks_at(each),
        unit=each.unit,
        nothing=nothing_said(each),
        definition=_definition(parts, each.name),
        **seen,
    )


def _definition(parts: Parts, name: str) -> str:
    definitions = (parts.code or {}).get("definitions", {})
    source = next((each["source"] for key, each in definitions.items() if key.rpartition(".")[2] == name), "")
    if not source and parts.config is not None:
        asked = parts.config["features"]
        declared = [key for key in asked if name == key or name.startswith(f"{key}_")]
        if declared:
            key = max(declared, key=len)
            source = f"{key}: {json.dumps(asked[key], ensure_ascii=False)}"
    return source if len(source) <= LONGEST else f"{source[:LONGEST]}\n... the rest is in code.json"


def drift_picture(columns: list[Column], n: int) -> Picture | None:
    """Return how far the columns lie from training, the farthest first."""
    known = sorted((each for each in columns if each.psi is not None), key=lambda each: -(each.psi or 0))
    if not known:
        return None
    moved = [each.name for each in known if each.moved]
    shown = known[:LISTED]
    return dots(
        Picture(
            "drift",
            "Drift from training to validation",
            f"{f'the {len(shown)} farthest of ' if len(known) > LISTED else ''}{len(known)} columns, n = {n:,}",
            f"{len(moved)} columns moved: {', '.join(moved[:10])}."
            if moved
            else "No column moved by more than chance.",
            headings=("column", "index", "by chance below", "missing in training", "in validation"),
            rows=list(_drift_rows(known)),
            note="Dots: the last fold's validation observations against training; lines: what chance alone stays below "
            "95 times in 100. Under 0.1 is no change to speak of, above 0.25 another population.",
        ),
        [Dot(each.name, each.psi or 0.0, 0.0, each.by_chance) for each in shown],
        "population stability index",
        bar="soft",
    )


def _drift_rows(columns: list[Column]) -> Iterator[tuple[str, ...]]:
    for each in columns:
        valid = "" if each.missing_valid is None else f"{each.missing_valid:.1%}"
        yield (each.name, f"{each.psi:.3f}", f"{each.by_chance:.3f}", f"{each.missing or 0:.1%}", valid)
