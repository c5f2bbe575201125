"""Who may become champion, and who is it already."""

from types import SimpleNamespace

import pytest

from credit_spark.config.errors import InputError
from credit_spark.pipeline.nightly import promote_or_wait
from credit_spark.pipeline.promote import promote
from credit_spark.storage.models import Gate


@pytest.fixture
def run() -> SimpleNamespace:
    """A run whose champion has failed a gate, which someone has overruled."""
    models = SimpleNamespace(
        champion=lambda _: SimpleNamespace(version="abc"),
        gates=lambda _: [Gate("cv.auc", 0.6, 0.9, 0.5)],
    )
    notes: dict[str, object] = {}
    summary = SimpleNamespace(notes=notes, note=notes.__setitem__)
    return SimpleNamespace(models=models, as_of="2026-01-31", summary=summary)


@pytest.mark.parametrize("promotion", ["automatic", "manual"])
def test_a_fit_that_is_champion_already_stays_it(run, promotion) -> None:
    run.contract = SimpleNamespace(promotion=promotion)

    promote_or_wait(run, "abc")

    assert run.summary.notes == {"promote": {"model_version": "abc", "overruled": []}}


def test_a_champion_is_not_promoted_again(run) -> None:
    """Who decides would not be kept."""
    with pytest.raises(InputError, match="abc is the champion of 2026-01-31 already"):
        promote(run, "abc", ["cv.auc"], "a reason", "A. Head")
