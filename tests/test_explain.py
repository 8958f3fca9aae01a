"""What matters in a whole run, from single contributions."""

import numpy as np
import pandas as pd
import pytest

from leadscore.config.schema import LogisticModel
from leadscore.explain import effects, global_importance, importance_over_folds
from leadscore.model import Explanation, make_model


@pytest.fixture
def X():
    return pd.DataFrame(
        {
            "sessions": [0.0, 1.0, 2.0, 3.0],
            "days_since": [9.0, np.nan, 1.0, 4.0],
            "hour": [1.0, 2.0, 3.0, 4.0],
            "constant": 1.0,
            "country": pd.Series(["DE", "FR", "DE", np.nan], dtype="str"),
        }
    )


def test_features_are_ordered_by_how_far_they_move_the_score(X):
    contributions = pd.DataFrame(
        {
            "sessions": [-0.3, -0.1, 0.1, 0.3],
            "days_since": [-2.0, 5.0, 1.0, -1.0],
            "hour": [0.2, -0.2, -0.2, 0.2],
            "constant": 0.0,
            "country": [0.2, -0.2, 0.2, -0.2],
        }
    )

    table = global_importance(Explanation(contributions, base=-1.0), X)

    assert list(table.itertuples(index=False, name=None)) == [
        ("days_since", 2.25, "falls"),  # the missing value's +5 says nothing about a direction
        ("country", pytest.approx(0.2), "-"),
        ("hour", pytest.approx(0.2), "-"),
        ("sessions", pytest.approx(0.2), "rises"),
        ("constant", 0.0, "-"),
    ]


def test_a_direction_needs_a_rank_correlation_of_one_half():
    contributions = pd.DataFrame(
        {
            "clear": [2.0, 1.0, 4.0, 3.0],  # 0.6
            "weak": [3.0, 1.0, 2.0, 4.0],  # 0.4
            "against": [3.0, 4.0, 1.0, 2.0],
            "weakly_against": [4.0, 2.0, 1.0, 3.0],
        }
    )
    X = pd.DataFrame({name: [1.0, 2.0, 3.0, 4.0] for name in contributions})

    table = global_importance(Explanation(contributions, base=0.0), X).set_index("feature")

    assert table["direction"].to_dict() == {"clear": "rises", "weak": "-", "against": "falls", "weakly_against": "-"}


def test_a_feature_that_only_tells_by_being_missing_has_no_direction():
    X = pd.DataFrame({"days_since": [1.0, 2.0, np.nan]})
    contributions = pd.DataFrame({"days_since": [0.1, 0.1, 0.9]})

    assert global_importance(Explanation(contributions, base=0.0), X)["direction"].tolist() == ["-"]


def test_a_fitted_model_tells_its_directions():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"sessions": rng.normal(size=200), "days_since": rng.normal(size=200)})
    y = pd.Series((3 * X["sessions"] - X["days_since"] + rng.normal(size=200) > 0).astype("int64"))

    table = global_importance(make_model(LogisticModel(), seed=0).fit(X, y).explain(X), X)

    assert table["feature"].tolist() == ["sessions", "days_since"]
    assert table["direction"].tolist() == ["rises", "falls"]


def test_no_feature_gives_an_empty_table():
    table = global_importance(Explanation(pd.DataFrame(index=[0, 1]), base=0.0), pd.DataFrame(index=[0, 1]))

    assert table.empty
    assert list(table.columns) == ["feature", "importance", "direction"]


def importance(**sizes):
    rows = [{"feature": name, "importance": size, "direction": way} for name, (size, way) in sizes.items()]
    return pd.DataFrame(rows)


def test_importance_over_folds_is_a_mean_with_its_least_and_most():
    folds = [
        importance(sessions=(0.5, "rises"), age=(0.25, "rises"), hour=(0.1, "-")),
        importance(age=(0.75, "falls"), sessions=(1.0, "rises"), hour=(0.1, "rises")),
    ]

    table = importance_over_folds(folds)

    assert list(table.itertuples(index=False, name=None)) == [
        ("sessions", 0.75, 0.5, 1.0, "rises"),
        ("age", 0.5, 0.25, 0.75, "-"),  # the folds disagree
        ("hour", 0.1, 0.1, 0.1, "-"),
    ]


def test_an_effect_is_the_mean_score_when_only_one_feature_moves(X):
    def predict(rows):
        country = rows["country"].map({"DE": 0.2, "FR": 0.1}).fillna(0.0)
        return (rows["sessions"] / 10 + country).rename("probability")

    numbers, words = effects(predict, X, X, ["sessions", "country"])

    assert numbers == {
        "feature": "sessions",
        "kind": "number",
        "rows": 4,
        "values": [0.0, 1.0, 2.0, 3.0],
        "probability": pytest.approx([0.125, 0.225, 0.325, 0.425]),
    }
    assert words["values"] == ["DE", "FR", None]
    assert words["probability"] == pytest.approx([0.35, 0.25, 0.15])


def test_an_effect_uses_at_most_2000_rows_and_the_deciles_of_training():
    X = pd.DataFrame({"a": np.arange(5_000.0), "rare": np.where(np.arange(5_000) % 50, 0.0, 3.0)})

    a, rare = effects(lambda rows: rows["a"] / 5_000, X, X, ["a", "rare"])

    assert a["rows"] == 2_000
    assert a["values"] == [499.0 + 500 * n for n in range(9)]
    assert rare["values"] == [0.0, 3.0]  # one value in every decile: the range is shown
    assert rare["probability"] == pytest.approx([0.4999, 0.4999], abs=1e-3)
