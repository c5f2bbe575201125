import json
from math import inf
from pathlib import Path

import pytest

from credit_spark.cli import main
from credit_spark.config.errors import InputError
from credit_spark.config.settings import resolve

BASE = Path(__file__).parents[2] / "conf/base.yml"


@pytest.fixture
def mine(tmp_path):
    """A settings file with the given text."""

    def write(text: str) -> Path:
        path = tmp_path / "mine.yml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_each_layer_wins_over_the_one_before(mine, monkeypatch) -> None:
    file = mine("spark: {shuffle_partitions: 7, master: yarn}\nstorage: {logs: mine}\n")
    monkeypatch.setenv("CREDIT_SPARK__SPARK__MASTER", "k8s")
    monkeypatch.setenv("CREDIT_SPARK__STORAGE__LOGS", "theirs")

    settings = resolve(BASE, file, {"storage": {"logs": "flags"}})

    assert (settings.spark.shuffle_partitions, settings.spark.master) == (7, "k8s")
    assert (settings.storage.logs, settings.storage.warehouse) == ("flags", "warehouse")


def test_secrets_are_not_shown(mine) -> None:
    file = mine("spark: {conf: {spark.hadoop.fs.s3a.secret.key: abc123, spark.x: shown}}\n")

    told = resolve(BASE, file, {}).as_json()

    assert "abc123" not in told
    assert json.loads(told)["spark"]["conf"]["spark.x"] == "shown"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- spark\n", "settings are sections with keys"),
        ("spark: {shufle_partitions: 3}\n", "did you mean 'shuffle_partitions'?"),
        ("storage: {landing: '{portfoli}/x'}\n", "storage.landing: nothing fills '{portfoli}'"),
        (
            "spark: {conf: {spark.master: yarn, spark.x: y}}\n",
            "spark.conf: some of its options are settings of their own: master for spark.master",
        ),
        (
            "monitor: {volume_history: 4}\n",
            "monitor.volume_history: input should be greater than or equal to 5",
        ),
        (
            "monitor: {share: [5, 10]}\n",
            "monitor.share: a share, or a drop of the AUC, is at most 1",
        ),
        ("monitor: {auc: [0.5, 3]}\n", "monitor.auc: a share, or a drop of the AUC, is at most 1"),
        ("storage: {warehouse: ''}\n", "storage.warehouse: string should have at least 1 char"),
    ],
)
def test_settings_that_cannot_be_used_are_told(mine, text, said) -> None:
    with pytest.raises(InputError) as error:
        resolve(BASE, mine(text), {})

    assert said in str(error.value)


def test_a_bound_that_is_never_reached_is_infinite(mine) -> None:
    settings = resolve(BASE, mine("monitor: {psi: [0.25, .inf], volume: [.inf, .inf]}\n"), {})

    assert settings.monitor.psi == (0.25, inf)


def test_a_variable_that_is_no_yaml_is_told_by_its_name(monkeypatch) -> None:
    monkeypatch.setenv("CREDIT_SPARK__SPARK__MASTER", "[local")

    with pytest.raises(InputError, match="CREDIT_SPARK__SPARK__MASTER"):
        resolve(BASE, None, {})


@pytest.mark.parametrize("text", ["[]", "false", "0", "- a"])
def test_a_file_that_has_no_sections_is_named(mine, text) -> None:
    file = mine(text)

    for base, own in ((BASE, file), (file, BASE), (file, None)):
        with pytest.raises(InputError, match="settings are sections") as told:
            resolve(base, own, {})
        assert str(told.value).startswith(str(file))


def test_a_project_that_is_not_there_is_no_sound_contract(capsys) -> None:
    contract = str(BASE.parent / "portfolios/lending_club.yml")

    assert main(["check", contract, "--project", "nowhere"]) == 2
    assert "'nowhere' does not exist" in capsys.readouterr().err
