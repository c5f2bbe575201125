"""One number everywhere, on every real book: the table of docs/engines.md, `make parity`."""

import pytest

from credit_spark.config.loading import load_contract
from credit_spark.scoring.document import ModelDocument
from tests.batches import REAL_BOOKS, arrow
from tests.documents import check_filled
from tests.engines import Parity, by_every_engine, parity, with_strange
from tests.projects import PROJECT

pytestmark = pytest.mark.release

STRANGE = 300
# Decimals of a PD: the engines' exponentials may differ in the last of the sixteen that there are.
DECIMALS = 12


@pytest.fixture(scope="module")
def parities(spark, postgres, real_batch, tmp_path_factory) -> dict[str, dict[str, Parity]]:
    """Of each portfolio, how each engine's scores of its loans differ from the batch's."""
    found = {}
    for portfolio in REAL_BOOKS:
        tables, folder = real_batch(portfolio).tables, tmp_path_factory.mktemp("parity")
        contract = load_contract(PROJECT / f"conf/portfolios/{portfolio}.yml")
        (fit,) = arrow(tables / "models").to_pylist()
        model, data = (
            ModelDocument.of(fit["document"]),
            with_strange(arrow(tables / "loans"), STRANGE),
        )
        written = {row["loan_id"]: row for row in arrow(tables / "scores").to_pylist()}
        engines = by_every_engine(spark, postgres, folder, data, model, contract)
        scores = {**engines.pop("Spark SQL"), **written}
        found[portfolio] = {engine: parity(scores, each) for engine, each in engines.items()}
    return found


def test_every_engine_gives_the_batches_number(parities) -> None:
    for portfolio, by_engine in parities.items():
        for engine, each in by_engine.items():
            assert each.pd < 1e-9, f"{portfolio}, {engine}"
            assert each.decided_else == 0, f"{portfolio}, {engine}"


def test_the_readme_has_the_table(parities) -> None:
    check_filled(PROJECT / "docs/engines.md", "parity", table(parities))


def table(parities: dict[str, dict[str, Parity]]) -> str:
    """Portfolio x engine: the largest difference of a PD, and loans with anything else unequal."""
    engines = list(next(iter(parities.values())))
    heads = " | ".join(engines)
    lines = [f"| portfolio | loans | {heads} |", f"|---|---|{'---|' * len(engines)}"]
    for portfolio, by_engine in parities.items():
        rows = max(each.rows for each in by_engine.values())
        cells = [
            f"{round(each.pd, DECIMALS):g}, {each.decided_else}" for each in by_engine.values()
        ]
        lines.append(f"| `{portfolio}` | {rows:,} | {' | '.join(cells)} |")
    return "\n".join(lines)
