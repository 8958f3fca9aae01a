"""What a model needs and production does not have: refused, unless the config says what becomes of those leads."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from leadscore.config.schema import DataConfig
from leadscore.config.score_schema import ScoreConfig
from leadscore.errors import ConfigError, DataError, did_you_mean, raise_all
from leadscore.record.shelf import DATA

if TYPE_CHECKING:
    from leadscore.features import Feature, Plan
    from leadscore.record import Run
    from leadscore.tables import Tables

__all__ = ["ABSTAIN", "Gaps", "find_gaps", "missing_ends", "refuse_other_data"]

ENDS = ("status", "converted_at", "closed_at")
ABSTAIN, DEFAULT = "abstain", "default"


@dataclass(frozen=True)
class Gaps:
    """What is computed, and what stands in for the rest.

    Attributes
    ----------
    plan : Plan
        Without the columns whose sources are missing.
    lacking : mapping of str to str
        Column to what it lacks, in words.
    values : mapping of str to float or str
        The declared value of each column that takes its default.
    abstaining : tuple of str
        Columns without which a lead gets no score.
    """

    plan: "Plan"
    lacking: Mapping[str, str]
    values: Mapping[str, Any]
    abstaining: tuple[str, ...]

    def filled(self, X: pd.DataFrame, columns: Mapping[str, str]) -> pd.DataFrame:
        """Return the model's whole table: what was computed, and what stands in for the rest."""
        given = {
            name: pd.Series(self.values.get(name, float("nan")), index=X.index).astype(_dtype(kind))
            for name, kind in columns.items()
            if name in self.lacking
        }
        return pd.DataFrame({name: given[name] if name in given else X[name] for name in columns}, index=X.index)

    def silent(self, X: pd.DataFrame) -> pd.Series:
        """Return for each row the column because of which it gets no score; empty where it gets one."""
        why = pd.Series("", index=X.index, dtype="str")
        for name in reversed(self.abstaining):
            why = why.mask(X[name].isna(), name)
        return why


def _dtype(kind: str) -> str:
    return "float64" if kind == "number" else "str"


def find_gaps(plan: "Plan", tables: "Tables", absent: Mapping[str, str], config: ScoreConfig, trained: str) -> Gaps:
    """Return what becomes of each column whose table, column or event type is missing.

    Parameters
    ----------
    plan : Plan
        The run's.
    tables : Tables
    absent : mapping of str to str
        Columns that the files lack, from `without_absent`.
    config : ScoreConfig
        Its `missing` has the policies.
    trained : str
        The model and its run, in words.

    Raises
    ------
    DataError
        Naming the feature, what it lacks and the model, for each column without a policy.
    ConfigError
        When a policy names no column of the run.
    """
    from leadscore.features import lacking_sources

    columns = {each.name: each for each in plan.columns}
    unknown = [name for name in config.missing if name not in columns]
    raise_all(
        ConfigError,
        [f"missing.{name} is no feature of {trained}. {did_you_mean(name, columns, 'It has')}" for name in unknown],
    )
    lacking = {name: "; ".join(said) for name, said in lacking_sources(plan, tables, every_type=False).items()}
    for step in plan.steps:  # inputs stand before their users
        for needed in step.inputs.values():
            if needed.name in lacking and step.feature.name not in lacking:
                lacking[step.feature.name] = (
                    f"feature '{step.feature.name}' is made of '{needed.name}'; " + lacking[needed.name]
                )
    problems, values = [], {}
    for name, each in columns.items():
        if name not in lacking:
            continue
        files = [said for column, said in absent.items() if column in each.columns]
        lacking[name] = "; ".join([lacking[name], *files])
        policy = config.missing.get(name)
        if policy == DEFAULT and (each.no_events is not None or each.missing_allowed):
            values[name] = float("nan") if each.no_events is None else each.no_events
        elif policy == DEFAULT:
            problems.append(
                f"{lacking[name]}; missing.{name}=default: it declares neither a value without events nor what a "
                f"missing value means, so it has no default"
            )
        elif policy is None:
            problems.append(
                f"{lacking[name]}; {trained} was trained on it. Mend the export, or say what becomes of such leads: "
                f"missing.{name}=abstain (no score) or missing.{name}=default (its declared value)"
            )
    raise_all(DataError, problems)
    abstaining = tuple(name for name, policy in config.missing.items() if policy == ABSTAIN)
    steps = tuple(
        replace(step, feature=_may_be_missing(step.feature)) if step.feature.name in abstaining else step
        for step in plan.steps
        if step.feature.name not in lacking
    )
    told = {name: lacking[name] for name in columns if name in lacking}
    return Gaps(replace(plan, steps=steps), told, values, abstaining)


def _may_be_missing(each: "Feature") -> "Feature":
    return each if each.missing_allowed else replace(each, missing="no score")


def missing_ends(run: "Run", tables: "Tables", config: ScoreConfig, trained: str) -> dict[str, str]:
    """Refuse a lead table that no longer tells who has converted or is closed, or return what was allowed.

    Raises
    ------
    DataError
        Naming the columns that the run's lead table had: without them, customers would be scored as open leads.
    """
    if not (run.folder / DATA).is_file():  # a run of before data.json
        return {}
    had = run.data["leads"]["columns"]
    lacks = [name for name in ENDS if name in had and name not in tables.leads]
    if not lacks:
        return {}
    said = f"the lead table has no {' and no '.join(lacks)}, which it had when {trained} was trained"
    if not config.allow_missing_ends:
        raise DataError(
            f"{said}: leads that have converted or are closed would be scored as open ones. Mend the export; or, where "
            f"it holds open leads alone, allow_missing_ends=true, which the report records"
        )
    return {"allow_missing_ends": said}


def refuse_other_data(trained_on: DataConfig, data: DataConfig, plan: "Plan", trained: str) -> None:
    """Refuse simulated leads for a model of real ones, and amounts in another currency."""
    if data.source == "demo" and trained_on.source != "demo":
        raise DataError(
            f"data=demo are simulated leads, and {trained} was trained on {trained_on.name}: name the tables to score, "
            f"as in data={trained_on.name}"
        )
    reads_amounts = any("amount" in step.feature.columns for step in plan.steps)
    if reads_amounts and data.currency != trained_on.currency:
        raise DataError(
            f"{trained} reads amounts in {trained_on.currency}, and data.currency is {data.currency}: state "
            f"data.currency={trained_on.currency} with data.rates"
        )
