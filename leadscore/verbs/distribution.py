"""How a feature's values lie on the configured data, and how often leads convert where they lie."""

from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from leadscore.features import DEFINITIONS, build
from leadscore.pipeline import walk_to_folds
from leadscore.verbs.catalog import Catalog, Found

if TYPE_CHECKING:
    import pandas as pd

    from leadscore.features import Feature, Plan
    from leadscore.features.plan import Planned

__all__ = ["Distribution", "Group", "describe", "distribution_of"]

FEW = 6  # this many different numbers are shown one by one, more in four parts
TOP = 8  # categories


@dataclass(frozen=True)
class Group:
    """Observations whose values are alike.

    Attributes
    ----------
    value : str
        Or a range of them.
    n : int
    share : float
        Of all observations.
    converted : float
        The share of these that convert within the horizon.
    """

    value: str
    n: int
    share: float
    converted: float


@dataclass(frozen=True)
class Distribution:
    """A feature's values over all observations of a run.

    Attributes
    ----------
    n : int
    missing : float
        Share of missing values.
    at_no_events : float or None
        Share at the declared value of a lead without such rows; None where none is declared.
    numbers : dict of str to float or None
        `min`, `q25`, `median`, `q75`, `max`, `mean`; None for a category, or where all is missing.
    groups : tuple of Group
        The most frequent categories, each of few numbers, or the four quarters of many; then what is missing.
    converted : float
        The share of all that convert within the horizon.
    """

    n: int
    missing: float
    at_no_events: float | None
    numbers: dict[str, float] | None
    groups: tuple[Group, ...]
    converted: float

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return asdict(self)


def distribution_of(found: Found, catalog: Catalog) -> Distribution:
    """Compute one feature or definition on the configured data.

    Raises
    ------
    LeadscoreError
        When the data do not load, or do not have what it reads.
    """
    entries = dict([found.entry]) if found.entry else {}
    windows = walk_to_folds(replace(catalog.config, features=entries))
    plan = windows.plan if found.entry else _plan_of_definition(found, catalog)
    observations = windows.observations.frame
    values = build(windows.tables, observations, plan).X[found.feature.name]
    return describe(values, observations["label"], found.feature)


def _plan_of_definition(found: Found, catalog: Catalog) -> "Plan":
    """Plan a definition as if it were a column; what it takes comes before it."""
    from leadscore.features import Plan

    steps: dict[str, Planned] = {}

    def add(each: "Feature", *, is_column: bool) -> None:
        inputs = {}
        for need in each.needs:
            chosen = catalog.config.definitions.get(need, "")
            inputs[need] = DEFINITIONS[need][chosen] if need in DEFINITIONS else catalog.find(need)[0].feature
            add(inputs[need], is_column=False)
        step = replace(found.step, feature=each, parameters=dict(each.parameters), inputs=inputs, is_column=is_column)
        steps.setdefault(each.name, step)

    add(found.feature, is_column=True)
    return Plan(tuple(steps.values()))


def describe(values: "pd.Series", labels: "pd.Series", each: "Feature") -> Distribution:
    """Return the distribution of values, with labels in the same order.

    Examples
    --------
    >>> import pandas as pd
    >>> from leadscore.features import Feature
    >>> each = Feature("visits", len, "events", no_events=0)
    >>> found = describe(pd.Series([0.0, 0.0, 2.0, 4.0]), pd.Series([0, 0, 0, 1]), each)
    >>> found.at_no_events, found.numbers["median"], [(group.value, group.converted) for group in found.groups]
    (0.5, 1.0, [('0', 0.0), ('2', 0.0), ('4', 1.0)])
    """
    values, labels = values.reset_index(drop=True), labels.reset_index(drop=True)
    known = values.dropna()
    is_number = each.dtype == "number"
    numbers = None
    if is_number and len(known):
        q25, median, q75 = known.quantile([0.25, 0.5, 0.75])
        spread = {
            "min": known.min(),
            "q25": q25,
            "median": median,
            "q75": q75,
            "max": known.max(),
            "mean": known.mean(),
        }
        numbers = {key: float(value) for key, value in spread.items()}
    parts = _parts(known) if is_number else known.astype("str")
    groups = [_group(str(name), rows, labels) for name, rows in parts.groupby(parts, observed=True, sort=is_number)]
    if not is_number:
        groups = sorted(groups, key=lambda group: (-group.n, group.value))
    if len(groups) > TOP:
        rest = parts[~parts.isin([group.value for group in groups[:TOP]])]
        groups = [*groups[:TOP], _group(f"{len(groups) - TOP} others", rest, labels)]
    if len(known) < len(values):
        groups.append(_group("missing", values[values.isna()], labels))
    return Distribution(
        n=len(values),
        missing=_share(len(values) - len(known), len(values)),
        at_no_events=None if each.no_events is None else _share(int((known == each.no_events).sum()), len(values)),
        numbers=numbers,
        groups=tuple(groups),
        converted=float(labels.mean()) if len(labels) else 0.0,
    )


def _parts(known: "pd.Series") -> "pd.Series":
    """Return each number's group: itself where there are few, else its quarter."""
    import pandas as pd

    different = sorted(known.unique())
    if len(different) <= FEW:
        codes = pd.Index(different).get_indexer(known)
        return pd.Series(pd.Categorical.from_codes(codes, _written(different)), index=known.index)
    edges = known.quantile([0, 0.25, 0.5, 0.75, 1]).drop_duplicates().tolist()
    if len(edges) < 2:
        edges = [different[0], different[-1]]
    # A value that is a border belongs below it, and the least to the first part.
    codes = pd.Series(edges[1:-1]).searchsorted(known, side="left")
    names = [
        f"{'' if place == 0 else 'above '}{low} to {high}"
        for place, (low, high) in enumerate(pairwise(_written(edges)))
    ]
    return pd.Series(pd.Categorical.from_codes(codes, names), index=known.index)


def _written(numbers: list[float]) -> list[str]:
    """Write different numbers with as few digits as keep them apart."""
    texts = [f"{number:.4g}" for number in numbers]
    return texts if len(set(texts)) == len(texts) else [repr(float(number)) for number in numbers]


def _group(value: str, rows: "pd.Series", labels: "pd.Series") -> Group:
    converted = float(labels.loc[rows.index].mean()) if len(rows) else 0.0
    return Group(value, len(rows), _share(len(rows), len(labels)), converted)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
