"""How a batch lies beside the training rows: drift of each column and of the score, unseen levels, volume, age."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from leadscore.config.score_schema import ScoreConfig
from leadscore.errors import DataError, examples, raise_all
from leadscore.profiles import LEAST_SHARE
from leadscore.times import parse_duration

if TYPE_CHECKING:
    from leadscore.profiles import ColumnProfile
    from leadscore.record import Run
    from leadscore.scoring.population import Population
    from leadscore.serving import Serving

__all__ = ["Watch"]

Array = np.ndarray[Any, Any]
REMEMBERED = 1_000  # unseen levels of a column that are told apart
DRAWS = 4_000
WEEK = pd.Timedelta(days=7)


@dataclass
class Watch:
    """Counts a batch chunk by chunk; nothing but counts is held.

    Attributes
    ----------
    serving : Serving
    config : ScoreConfig
    passed_over : set of str
        Columns whose source is missing, which their policy has answered.
    """

    serving: "Serving"
    config: ScoreConfig
    passed_over: frozenset[str] = frozenset()
    counts: dict[str, Array] = field(default_factory=dict)
    unseen: dict[str, Counter[str]] = field(default_factory=dict)
    scores: Array | None = None
    bands: Counter[str] = field(default_factory=Counter)

    def add(self, X: pd.DataFrame, probability: "pd.Series", band: Array) -> None:
        """Count a chunk: all of its rows, and the probabilities of those that got one."""
        for name, profile in self._profiles().items():
            counts = profile.counts(X[name])
            self.counts[name] = self.counts[name] + counts if name in self.counts else counts
            if profile.kind == "category" and counts[len(profile.levels) + 1]:
                levels = self.unseen.setdefault(name, Counter())
                known = {*profile.levels, *profile.rare}
                for level, n in X[name].value_counts().items():
                    if level not in known and (level in levels or len(levels) < REMEMBERED):
                        levels[str(level)] += int(n)
        scored = self.serving.score_profile.counts(probability)
        self.scores = scored if self.scores is None else self.scores + scored
        self.bands.update(band.tolist())

    def _profiles(self) -> dict[str, "ColumnProfile"]:
        return {name: each for name, each in self.serving.profile.items() if name not in self.passed_over}

    def report(self, population: "Population", run: "Run") -> dict[str, Any]:
        """Return the report's part on drift; raise where a limit is passed.

        Raises
        ------
        DataError
            Naming every column that drifted beyond `drift.fail`, or has too many unseen levels.
        """
        features = {name: self._drift(each, self.counts[name]) for name, each in self._profiles().items()
                    if name in self.counts}  # fmt: skip
        for name, told in features.items():
            if self.serving.profile[name].kind == "category":
                told["unseen"] = [level for level, _ in self.unseen.get(name, Counter()).most_common(10)]
        score = None if self.scores is None else self._drift(self.serving.score_profile, self.scores)
        ranked = dict(sorted(features.items(), key=lambda item: (-item[1]["psi"], item[0])))
        volume = self._volume(population, run)
        age = (population.as_of - pd.Timestamp(self.serving.trained_until)) / WEEK
        problems = [*self._unseen(ranked), *self._beyond(ranked, score)]
        raise_all(DataError, problems)
        return {
            "limits": {"warn": self.config.drift.warn, "fail": self.config.drift.fail},
            "drivers": [name for name, told in ranked.items() if told["verdict"] != "ok"],
            "score": score,
            "volume": volume,
            "model_age_weeks": round(age, 1),
            "features": ranked,
            "warnings": [*self._warnings(ranked, score), *self._light(volume)],
        }

    def _drift(self, profile: "ColumnProfile", counts: Array) -> dict[str, Any]:
        n = int(counts.sum())
        psi, by_chance = profile.psi_of(counts), _by_chance(profile, n)
        unseen = {}
        if profile.kind == "category":
            unseen = {"unseen_share": round(float(counts[len(profile.levels) + 1]) / n, 6) if n else 0.0}
        return {
            "psi": round(psi, 6),
            "by_chance": round(by_chance, 6),
            "verdict": self._verdict(psi, by_chance),
            "missing": round(float(counts[-1]) / n, 6) if n else 0.0,
            "missing_in_training": round(profile.missing, 6),
            **unseen,
        }

    def _verdict(self, psi: float, by_chance: float) -> str:
        """Return `ok`, `warn` or `fail`; what a batch so small reaches by chance alone is ok."""
        warn, fail = self.config.drift.warn, self.config.drift.fail
        if psi <= by_chance:
            return "ok"
        return "fail" if fail is not None and psi > fail else "warn" if warn is not None and psi > warn else "ok"

    def _beyond(self, features: dict[str, Any], score: dict[str, Any] | None) -> list[str]:
        rows = {"the score": score, **{f"feature '{name}'": told for name, told in features.items()}}
        failed = [f"{name} {told['psi']:.2f}" for name, told in rows.items() if told and told["verdict"] == "fail"]
        if not failed:
            return []
        return [
            f"the batch is another population than the training rows: PSI above drift.fail={self.config.drift.fail:g} "
            f"for {len(failed)} of {len(rows)} ({', '.join(failed[:5])}{', ...' if len(failed) > 5 else ''}). Train "
            f"again, or score all the same with drift.fail=null; nothing was written"
        ]

    def _unseen(self, features: dict[str, Any]) -> list[str]:
        most = self.config.max_unseen_share
        return [
            f"feature '{name}': {told['unseen_share']:.0%} of the leads have a level that training did not have "
            f"({examples(told['unseen'])}), and max_unseen_share allows {most:.0%}; nothing was written"
            for name, told in features.items()
            if told.get("unseen_share", 0) > most
        ]

    def _warnings(self, features: dict[str, Any], score: dict[str, Any] | None) -> list[str]:
        said = [
            f"feature '{name}' has moved since training: PSI {told['psi']:.2f}, missing {told['missing']:.0%} (was "
            f"{told['missing_in_training']:.0%})"
            for name, told in features.items()
            if told["verdict"] == "warn"
        ]
        if score and score["verdict"] == "warn":
            said.insert(0, f"the scores have moved since validation: PSI {score['psi']:.2f}")
        return said

    def _volume(self, population: "Population", run: "Run") -> dict[str, Any]:
        expected = _expected(population, run, self.serving)
        share = None if not expected else round(population.counts["scored"] / expected, 3)
        return {"rows": population.counts["scored"], "expected": expected, "share": share}

    def _light(self, volume: dict[str, Any]) -> list[str]:
        least, share = self.config.drift.volume, volume["share"]
        if least is None or share is None or share >= least:
            return []
        return [
            f"{volume['rows']:,} leads, where training had {volume['expected']:,.1f} in such a time: is the export "
            f"whole? (drift.volume={least:g})"
        ]


def _by_chance(profile: "ColumnProfile", n: int) -> float:
    """Return the PSI that n training rows drawn by lot stay below 999 times in 1,000.

    Drawn and not from the chi squared: a batch of a few leads leaves most bins empty, which that does not know.
    """
    shares = np.asarray(profile.expected, dtype="float64")
    if not n or not shares.sum():
        return 0.0
    draws = np.random.default_rng(0).multinomial(n, shares / shares.sum(), size=DRAWS)
    expected, actual = np.maximum(shares, LEAST_SHARE), np.maximum(draws / n, LEAST_SHARE)
    return float(np.quantile(((actual - expected) * np.log(actual / expected)).sum(axis=1), 0.999))


def _expected(population: "Population", run: "Run", serving: "Serving") -> float | None:
    """Return how many rows training had in a time as long as the batch's; None where it had no rate."""
    fold = run.windows["folds"][-1]
    borders = [fold.get(key) for key in ("train_start", "last_training_as_of")]
    if None in borders:
        return None
    first, last = (pd.Timestamp(each) for each in borders)
    if serving.window["name"] == "snapshots":
        snapshots = (last - first) // pd.Timedelta(parse_duration(serving.window["every"])) + 1
        return round(fold["rows"]["train"] / snapshots, 1) if population.since is None else None
    days = (last - first) / pd.Timedelta(days=1)
    return round(fold["rows"]["train"] / days * population.days, 1) if days > 0 and population.days else None
