"""All that scoring needs besides a model's own files: what its columns say, how they lay, whom it was trained on."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Self

from leadscore.bands import Bands
from leadscore.profiles import ColumnProfile

__all__ = ["FORMS", "HOURS", "Described", "Serving"]

HOURS = {"minutes": 1 / 60, "hours": 1.0, "days": 24.0, "weeks": 168.0}  # of the units that an age may have
FORMS = ("count", "age", "share", "yes_no", "plain")


@dataclass(frozen=True)
class Described:
    """One column of the model table in words.

    Attributes
    ----------
    name, meaning, unit : str
    kind : {'number', 'category'}
    window : str
        Its rows in words: "7d before the score".
    event_types : tuple of str
        What it reads of the event log; empty: all events, or the lead's own row.
    group : str
        Columns of one group tell one story: their contributions are summed, and the strongest speaks.
    missing : str or None
        What a missing value means; None: it is an error.
    no_events : float, str or None
        The value of a lead without such rows; None: it is missing.
    form : str
        How a value is said: one of `FORMS`.
    phrases : mapping of str to str
        Sentences with `{value}`: `raises` and `lowers` by the direction, `one` and `none` where the value is 1 or 0,
        `missing` where there is none. Without `raises`, "NAME is VALUE".
    """

    name: str
    meaning: str = ""
    kind: str = "number"
    unit: str = ""
    window: str = ""
    event_types: tuple[str, ...] = ()
    group: str = ""
    missing: str | None = None
    no_events: float | str | None = None
    form: str = "plain"
    phrases: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Read what `dataclasses.asdict` returned."""
        each = cls(**{**saved, "event_types": tuple(saved["event_types"])})
        texts = (each.name, each.meaning, each.kind, each.unit, each.window, each.group, each.form, *each.event_types)
        words = (*each.phrases, *each.phrases.values(), "" if each.missing is None else each.missing)
        if each.form not in FORMS or not all(isinstance(text, str) for text in (*texts, *words)):
            raise ValueError("what it says of a column is no text")
        if each.form == "age" and each.unit not in HOURS:
            raise ValueError(f"an age is in {', '.join(HOURS)}, not in {each.unit}")
        return each


@dataclass(frozen=True)
class Serving:
    """What a saved model knows of its own training.

    Attributes
    ----------
    dictionary : tuple of Described
        In the order of the model's columns.
    window : mapping
        The config's `window` node.
    horizon : str
        Of the outcome, as in "30d".
    trained_until : str
        The latest `as_of` of the training rows, ISO 8601 in UTC.
    identity : mapping of str to str or None
        `run_id`, `config_hash`, `code_hash` and `identity` of the run.
    profile : mapping of str to ColumnProfile
        Of each column's training rows.
    score_profile : ColumnProfile
        Of the probabilities on the validation rows.
    bands : Bands
    base_rate : float
        Share of the training rows that converted.
    """

    dictionary: tuple[Described, ...]
    window: Mapping[str, Any]
    horizon: str
    trained_until: str
    identity: Mapping[str, str | None]
    profile: Mapping[str, ColumnProfile]
    score_profile: ColumnProfile
    bands: Bands
    base_rate: float

    @property
    def feature_hash(self) -> str | None:
        """The hash of the code of its features, definitions and model wrapper: the run's `code_hash`."""
        return self.identity.get("code_hash")

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "dictionary": [asdict(each) for each in self.dictionary],
            "window": dict(self.window),
            "horizon": self.horizon,
            "trained_until": self.trained_until,
            "identity": dict(self.identity),
            "profile": {name: profile.to_json() for name, profile in self.profile.items()},
            "score_profile": self.score_profile.to_json(),
            "bands": self.bands.to_json(),
            "base_rate": self.base_rate,
        }

    @classmethod
    def from_json(cls, saved: Mapping[str, Any]) -> Self:
        """Read what `to_json` returned."""
        serving = cls(
            dictionary=tuple(Described.from_json(each) for each in saved["dictionary"]),
            window=saved["window"],
            horizon=saved["horizon"],
            trained_until=saved["trained_until"],
            identity=saved["identity"],
            profile={name: ColumnProfile.from_json(each) for name, each in saved["profile"].items()},
            score_profile=ColumnProfile.from_json(saved["score_profile"]),
            bands=Bands.from_json(saved["bands"]),
            base_rate=saved["base_rate"],
        )
        kinds = {each.name: each.kind for each in serving.dictionary}
        if {name: each.kind for name, each in serving.profile.items()} != kinds or "name" not in serving.window:
            raise ValueError("its dictionary, its profiles and its window are not of one model")
        datetime.fromisoformat(serving.trained_until)
        return serving
