"""Made-up rows lie between real ones, are as many as are missing, and are imbalanced-learn's."""

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import SMOTE

from credit_spark.features.columns import Definition, featured
from credit_spark.training.imbalance import Classes, SmotePlan, classes, made_up, smoted

NUMBERS, TEXTS = ["feature_a", "feature_b"], ["feature_t"]
FEATURES = [Definition("a", "a", False), Definition("b", "b", False), Definition("t", "t", True)]


def rows(bad: int, seed: int = 1, missing: int = 0) -> pd.DataFrame:
    """600 rows, the first so many bad; bad ones have texts of their own."""
    rng = np.random.default_rng(seed)
    label = np.where(np.arange(600) < bad, 1.0, 0.0)
    found = pd.DataFrame({
        "feature_a": rng.normal(5, 2, 600) + 3 * label,
        "feature_b": rng.normal(1000, 300, 600),
        "feature_t": np.where(label == 1, rng.choice(["x", "y"], 600), "z"),
        "label": label,
    })  # fmt: skip
    found.loc[rng.choice(600, missing, replace=False), "feature_a"] = np.nan
    return found


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("numbers", "texts"),
    [(NUMBERS, TEXTS), (NUMBERS, []), ([], TEXTS)],
    ids=["both", "numbers", "texts"],
)
def test_as_many_rows_are_made_up_as_the_smaller_class_lacks(numbers, texts, seed) -> None:
    given = rows(bad=60, seed=seed, missing=50)

    made = made_up(given, numbers, texts, seed)

    assert len(made) == 540 - 60
    assert set(made["label"]) == {1.0}
    bad = given[given["label"] == 1]
    for name in numbers:
        known = bad[name].fillna(given[name].median())
        assert made[name].between(known.min() - 1e-9, known.max() + 1e-9).all()
        assert made[name].nunique() > 400
    assert all(set(made[name]) <= {"x", "y"} for name in texts)
    assert made.equals(made_up(given, numbers, texts, seed))
    if numbers:
        assert not made.equals(made_up(given, numbers, texts, seed + 1))


def test_numbers_alone_are_made_up_as_imbalanced_learn_does_on_scaled_rows() -> None:
    given = rows(bad=40)
    deviations = given[NUMBERS].std()

    found, _ = SMOTE(random_state=3).fit_resample(given[NUMBERS] / deviations, given["label"])

    theirs = found.iloc[600:] * deviations
    assert np.allclose(made_up(given, NUMBERS, [], 3)[NUMBERS], theirs, rtol=1e-12)


def test_a_number_that_no_row_of_a_part_has_is_not_made_up() -> None:
    """The median of the training rows replaces it afterwards, as in real rows."""
    given = rows(bad=60)
    given["feature_a"] = np.nan

    made = made_up(given, NUMBERS, TEXTS, 1)

    assert made["feature_a"].isna().all()
    assert made["feature_b"].notna().all()


def test_a_task_handles_fewer_rows_where_texts_have_very_many_levels() -> None:
    few, many, texts = (
        SmotePlan(features, 50_000, partitions=2, levels=levels).rows_a_task
        for features, levels in ((FEATURES, 200), (FEATURES, 1000), (FEATURES[2:], 200))
    )

    assert (few, many, texts) == (50_000, 10_000, 20_000)


@pytest.mark.parametrize("bad", [2, 3, 5, 6])
def test_few_rows_have_as_many_neighbours_as_there_are(bad) -> None:
    assert len(made_up(rows(bad), NUMBERS, TEXTS, 1)) == 600 - 2 * bad


@pytest.mark.parametrize("bad", [0, 1, 600])
def test_a_part_with_no_two_rows_of_a_class_is_left_as_it_is(bad) -> None:
    assert made_up(rows(bad), NUMBERS, TEXTS, 1).empty


@pytest.fixture(scope="module")
def training(spark):
    given = rows(bad=60).rename(columns=lambda name: name.removeprefix("feature_"))
    given.insert(0, "loan_id", [f"{nth:04}" for nth in range(600)])
    frame = spark.createDataFrame(given)
    return featured(frame, FEATURES, {"loan_id": frame.loan_id, "label": frame.label}).persist()


@pytest.mark.parametrize("smote_rows", [1000, 250], ids=["one part", "three parts"])
def test_spark_makes_both_classes_equal_and_keeps_every_real_row(training, smote_rows) -> None:
    seen, plan = classes(training), SmotePlan(FEATURES, smote_rows, partitions=2)

    balanced = smoted(training, seen.rows, 1, plan)
    again = smoted(training.repartition(3), seen.rows, 1, plan)

    assert classes(balanced) == Classes(540, 540)
    real = training.select(*NUMBERS, *TEXTS, "label")
    assert balanced.intersectAll(real).count() == 600
    # With more partitions, Spark would add in the order in which they happen to be done.
    assert balanced.rdd.getNumPartitions() == 2
    assert [*map(str, balanced.collect())] == [*map(str, again.collect())]


@pytest.mark.parametrize("texts", [TEXTS, []])
def test_a_value_is_missing_in_made_up_rows_as_often_as_in_real_ones(texts) -> None:
    """Where a missing value has a weight of its own; else it would be the median in all of them."""
    given = rows(bad=100)
    # All loans with low values of b, half of the bad ones.
    is_absent = given["feature_b"] < given.loc[given["label"] == 1, "feature_b"].median()
    given.loc[is_absent, "feature_a"] = np.nan

    made = made_up(given, NUMBERS, texts, 1, ["feature_a"])

    assert list(made.columns) == [*NUMBERS, *texts, "label"]
    assert made["feature_a"].isna().mean() == pytest.approx(0.5, abs=0.1)
    assert made.loc[made["feature_a"].isna(), "feature_b"].mean() < 1000
    assert not made_up(given, NUMBERS, texts, 1)["feature_a"].isna().any()
