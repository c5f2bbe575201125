"""Which model is champion of which batch date, with real Delta tables."""

import json
from datetime import date

import pytest

from credit_spark.config.errors import InputError
from credit_spark.config.tables import MODELS
from credit_spark.scoring.document import Baseline, Facts, ModelDocument
from credit_spark.storage.models import FACTS, Decision, Gate, ModelRegistry
from credit_spark.storage.tables import Tables

DECISION = Decision("a head of risk", "it is better")


def fit(day: int, intercept: float, imbalance: str = "class_weight") -> ModelDocument:
    facts = Facts(
        as_of=date(2026, 3, day), imbalance=imbalance, rows=2, good=1, bad=1,
        out_of_time_from=None, folds=2, seed=1, regularisation=0, elastic_net=0,
    )  # fmt: skip
    return ModelDocument(
        portfolio="p", contract_hash="h", features=(), left_out=(), intercept=intercept,
        offset=0.0, facts=facts,
    )  # fmt: skip


FIRST, SECOND = fit(1, 0.1), fit(5, 0.2)


@pytest.fixture
def models(spark, tmp_path) -> ModelRegistry:
    models = ModelRegistry(Tables(spark, str(tmp_path), date(2026, 3, 1), "run"))
    for each in (FIRST, SECOND):
        models.save(each, [Gate("auc", 0.5, 1, 0.7)])
    models._tables.publish()
    return models


def champion(models: ModelRegistry, day: int) -> str | None:
    found = models.champion(date(2026, 3, day))
    return found.version if found else None


def status(models: ModelRegistry) -> dict:
    models._tables.publish()
    return {each["model_version"]: each["status"] for each in models._tables.rows(MODELS, FACTS)}


def test_fits_on_other_loans_or_by_another_contract_are_told_apart(spark, tmp_path) -> None:
    """Loans are those with the same counts in each bin; a fit's own score does not matter."""

    def counted(*loans: int) -> Baseline:
        return Baseline(
            role="feature", name="x", sql="x", edges=(1.0,), counts=loans, bads=(1, 1, 0)
        )

    score = Baseline(
        role="score", name="the score", sql="log_odds", edges=(), counts=(9, 0), bads=(2, 0)
    )
    own, other = (
        FIRST.model_copy(update={"baselines": (score, counted(*loans))})
        for loans in ((5, 4, 0), (4, 5, 0))
    )
    again = own.model_copy(update={"baselines": own.baselines[1:]})
    changed = own.model_copy(update={"contract_hash": "another"})
    models = ModelRegistry(Tables(spark, str(tmp_path), date(2026, 3, 1), "run"))
    for each in (own, other, again, changed):
        models.save(each, [])

    def same() -> set[str]:
        return models.fitted_on([counted(5, 4, 0)], "h", date(2026, 3, 1))

    assert same() == {own.version, again.version}
    models._tables.publish()
    assert same() == {own.version, again.version}


def test_a_date_before_the_first_promotion_has_no_champion(models) -> None:
    models.promote(FIRST.version, date(2026, 3, 2), DECISION)

    assert [champion(models, day) for day in (1, 2, 9)] == [None, FIRST.version, FIRST.version]


def test_a_rollback_leaves_earlier_dates_their_champions(models) -> None:
    for version, day in ((FIRST, 2), (SECOND, 5), (FIRST, 8)):
        models.promote(version.version, date(2026, 3, day), DECISION)

    assert [champion(models, day) for day in (2, 4, 5, 7, 8)] == [
        FIRST.version, FIRST.version, SECOND.version, SECOND.version, FIRST.version,
    ]  # fmt: skip
    assert status(models) == {FIRST.version: "champion", SECOND.version: "retired"}


def test_a_promotion_of_an_earlier_date_changes_no_later_one(models) -> None:
    models.promote(SECOND.version, date(2026, 3, 8), DECISION)

    models.promote(FIRST.version, date(2026, 3, 6), DECISION)

    assert [champion(models, day) for day in (6, 8)] == [FIRST.version, SECOND.version]
    assert status(models) == {FIRST.version: "retired", SECOND.version: "champion"}


def test_of_two_promotions_from_one_date_the_later_call_counts(models) -> None:
    for version in (FIRST, SECOND, SECOND):
        models.promote(version.version, date(2026, 3, 5), DECISION)

    assert champion(models, 5) == SECOND.version
    assert status(models) == {FIRST.version: "retired", SECOND.version: "champion"}


def test_a_model_that_was_fitted_later_scores_no_earlier_date(models) -> None:
    with pytest.raises(InputError, match="fitted on 2026-03-05: on 2026-03-04 it did not exist"):
        models.promote(SECOND.version, date(2026, 3, 4), DECISION)

    assert models.newest_challenger(date(2026, 3, 4)) == FIRST.version
    assert models.newest_challenger(date(2026, 3, 5)) == SECOND.version


def test_of_two_fits_of_one_date_the_user_chooses(models) -> None:
    other = fit(5, 0.3, "oversample")
    models.save(other, [])

    with pytest.raises(InputError) as error:
        models.newest_challenger(date(2026, 3, 9))

    assert f"{other.version} (oversample)" in str(error.value)
    assert f"{SECOND.version} (class_weight)" in str(error.value)


def test_a_fit_older_than_the_champion_is_promoted_by_name_alone(models) -> None:
    """The same command twice would else promote an older fit that still waits."""
    models.promote(models.newest_challenger(date(2026, 3, 9)), date(2026, 3, 9), DECISION)

    assert champion(models, 9) == SECOND.version
    with pytest.raises(InputError, match="no older than the champion"):
        models.newest_challenger(date(2026, 3, 9))
    models.promote(FIRST.version, date(2026, 3, 9), DECISION)
    assert champion(models, 9) == FIRST.version


def test_a_missing_challenger_and_a_missing_model_are_errors(models) -> None:
    with pytest.raises(InputError, match="no challenger that was fitted by 2026-02-01"):
        models.newest_challenger(date(2026, 2, 1))
    with pytest.raises(InputError, match="there is no model 'zzz'"):
        models.promote("zzz", date(2026, 3, 9), DECISION)
    with pytest.raises(InputError, match="there is no model"):
        models.promote("z\\", date(2026, 3, 9), DECISION)


def test_no_model_is_seen_before_the_run_is_published(models) -> None:
    run = ModelRegistry(
        Tables(models._tables.spark, models._tables.folder, date(2026, 3, 9), "other")
    )
    sound, unsound = fit(9, 0.3), fit(9, 0.4)
    run.save(sound, [Gate("auc", 0.5, 1, 0.7)])
    run.save(unsound, [Gate("auc", 0.5, 1, 0.4)])
    run.promote(sound.version, date(2026, 3, 9), DECISION)

    assert champion(run, 9) == sound.version
    assert run.document(sound.version) == sound
    assert champion(models, 9) is None
    assert set(status(models)) == {FIRST.version, SECOND.version}
    run._tables.discard()
    run._tables.publish()
    assert set(status(models).values()) == {"challenger"}


def test_an_overruled_gate_is_kept_with_its_reason(models) -> None:
    models.promote(FIRST.version, date(2026, 3, 2), Decision("A", "it is a pilot"), ["auc"])
    models._tables.publish()

    (row,) = models._tables.rows(MODELS, ["gates"], "status = 'champion'")
    assert json.loads(row["gates"])[0]["overruled"] == {
        "reason": "it is a pilot", "as_of": "2026-03-02",
    }  # fmt: skip


def test_a_gate_says_by_how_much_it_was_missed() -> None:
    """Rounded alone, what was seen would seem to be allowed."""
    said = [str(Gate("auc", 0.6, 0.95, seen)) for seen in (0.5996, 0.7, 0.95004, None)]

    assert said == [
        "auc is 0.600, allowed 0.6 to 0.95: 0.0004 too low",
        "auc is 0.700, allowed 0.6 to 0.95",
        "auc is 0.950, allowed 0.6 to 0.95: 4e-05 too high",
        "auc is unknown, allowed 0.6 to 0.95",
    ]


def test_rollbacks_go_back_one_champion_after_the_other(models) -> None:
    third = fit(8, 0.3)
    models.save(third, [])
    for version, day in ((FIRST, 2), (SECOND, 5), (third, 8)):
        models.promote(version.version, date(2026, 3, day), DECISION)

    for wanted in (SECOND, FIRST):
        found = models.earlier_champion(date(2026, 3, 9))
        assert found == wanted.version
        models.promote(found, date(2026, 3, 9), DECISION, is_rollback=True)

    with pytest.raises(InputError, match="no other champion"):
        models.earlier_champion(date(2026, 3, 9))
    assert models.earlier_champion(date(2026, 3, 8)) == SECOND.version


def test_a_rollback_does_not_return_to_what_was_rolled_back_from(models) -> None:
    """Also where an earlier date was rolled back after a later one."""
    third = fit(8, 0.3)
    models.save(third, [])
    for version, day in ((FIRST, 2), (SECOND, 5), (third, 8)):
        models.promote(version.version, date(2026, 3, day), DECISION)
    for day in (8, 5):
        found = models.earlier_champion(date(2026, 3, day))
        models.promote(found, date(2026, 3, day), DECISION, is_rollback=True)
    assert (champion(models, 5), champion(models, 8)) == (FIRST.version, SECOND.version)

    assert models.earlier_champion(date(2026, 3, 8)) == FIRST.version


def test_a_promotion_before_a_rollback_does_not_bring_back_what_it_left(models) -> None:
    """B is rolled back to A; later, A is promoted from a date between the two."""
    for version, day in ((FIRST, 2), (SECOND, 5)):
        models.promote(version.version, date(2026, 3, day), DECISION)
    models.promote(FIRST.version, date(2026, 3, 9), DECISION, is_rollback=True)
    models.promote(FIRST.version, date(2026, 3, 7), DECISION)

    with pytest.raises(InputError, match="no other champion"):
        models.earlier_champion(date(2026, 3, 9))


def test_there_is_no_rollback_without_a_champion(models) -> None:
    with pytest.raises(InputError, match="no model is champion on 2026-03-09"):
        models.earlier_champion(date(2026, 3, 9))


def test_a_model_that_was_rolled_back_is_no_challenger(models) -> None:
    """Also where it was champion of no other date."""
    models.promote(FIRST.version, date(2026, 3, 2), DECISION)
    models.promote(SECOND.version, date(2026, 3, 5), DECISION)
    models.promote(FIRST.version, date(2026, 3, 5), DECISION, is_rollback=True)

    assert status(models) == {FIRST.version: "champion", SECOND.version: "retired"}
    assert models.shadow(date(2026, 3, 5), FIRST.version) is None
    with pytest.raises(InputError, match="no challenger"):
        models.newest_challenger(date(2026, 3, 9))
