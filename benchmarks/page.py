"""The page under load: `make bench-page ROWS=5000000`.

The sample loans of one date are scored and served. Loans are looked up by their ids, applicants are
scored one after the other, and then as many as can be from several clients at once. Writes the
section `page` of docs/benchmark.md.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import cycle
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import NamedTuple

from compare import TRAINED_ON
from deltalake import DeltaTable
from nightly import AS_OF, CREDIT_SPARK, night, sample
from processes import run
from reports import machine, write_section

LOOKED_UP, SCORED = 1000, 1000
CLIENTS, SECONDS = 4, 20
APPLICANT = {
    "loan_amount": "5000", "term_months": "36", "interest_rate": "7.5", "annual_income": "120000",
    "debt_to_income": "5", "fico": "700", "issued_on": "2012-01-15",
    "earliest_credit_on": "1990-05-01", "home_ownership": "RENT", "employment_years": "3",
}  # fmt: skip


class Goal(NamedTuple):
    """What is measured, how much there may be of it, and whether it is a least or a most."""

    what: str
    measured: float
    bound: float
    unit: str
    is_least: bool = False

    @property
    def line(self) -> str:
        """A line of the table."""
        is_met = self.measured >= self.bound if self.is_least else self.measured <= self.bound
        most = "at least" if self.is_least else "at most"
        return (
            f"| {self.what} | {self.measured:.1f} {self.unit} | {most} {self.bound:g} "
            f"| {'yes' if is_met else 'no'} |"
        )


def main(rows: int) -> None:
    """Measure all of it on a batch of so many rows, and write the section."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scored(rows, folder)
        with served(folder) as port:
            goals = list(asked(folder, port))
    write_section("page", "\n".join(section(rows, goals)))


def scored(rows: int, folder: Path) -> None:
    """A batch of so many loans, in the folder's warehouse."""
    for part, size in (("small", TRAINED_ON), ("large", rows)):
        run(sample(size, folder / part))
        run(night(folder / part, folder / "warehouse"))


@contextmanager
def served(folder: Path) -> Iterator[int]:
    """The page's server, started by its command; its port."""
    words = [CREDIT_SPARK, "serve", "--portfolio", "lending_club", "--port", "0"]
    command = [*words, "--warehouse", str(folder / "warehouse")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        try:
            assert process.stdout
            yield int(process.stdout.readline().split("/  ")[0].rpartition(":")[2])
        finally:
            process.terminate()


def asked(folder: Path, port: int) -> Iterator[Goal]:
    """Look-ups and applicants, one after the other and side by side."""
    table = DeltaTable(str(folder / "warehouse/lending_club/scores"))
    ids = table.to_pyarrow_dataset([("as_of", "=", AS_OF)]).to_table(["loan_id"])["loan_id"]
    draw = Random(1)
    drawn = [ids[draw.randrange(len(ids))].as_py() for _ in range(LOOKED_UP)]
    client = Client(port)
    first = client.look_up(drawn[0])
    look_ups = [client.look_up(each) for each in drawn]
    yield Goal("the first look-up", first, 10, "s")
    yield Goal("a look-up, 99th percentile", 1000 * percentile(look_ups), 200, "ms")
    applicants = [client.score() for _ in range(SCORED)]
    yield Goal("an applicant, median", 1000 * median(applicants), 5, "ms")
    yield Goal("applicants a second, several clients", rate(port, Client.score), 200, "", True)
    loans = cycle(drawn)
    yield Goal(
        "look-ups a second, several clients",
        rate(port, lambda each: each.look_up(next(loans))),
        200,
        "",
        True,
    )


def percentile(seconds: Sequence[float]) -> float:
    """The 99th percentile."""
    return quantiles(seconds, n=100)[-1]


def rate(port: int, ask: Callable[["Client"], float]) -> float:
    """Answers a second that several clients get; an error ends the benchmark."""

    def one(_: int) -> int:
        client, until, answers = Client(port), time.monotonic() + SECONDS, 0
        while time.monotonic() < until:
            ask(client)
            answers += 1
        return answers

    with ThreadPoolExecutor(CLIENTS) as pool:
        return sum(pool.map(one, range(CLIENTS))) / SECONDS


class Client:
    """One connection to the server; each question gives the seconds that its answer took."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port)

    def look_up(self, loan_id: str) -> float:
        """A loan by its id."""
        return self._answered("GET", f"/api/v1/loans/{loan_id}", None)

    def score(self) -> float:
        """An applicant."""
        return self._answered("POST", "/api/v1/applicants", json.dumps(APPLICANT))

    def _answered(self, method: str, path: str, body: str | None) -> float:
        began = time.monotonic()
        headers = {"Content-Type": "application/json"} if body else {}
        self._connection.request(method, path, body, headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return time.monotonic() - began


def section(rows: int, goals: Sequence[Goal]) -> Iterator[str]:
    """The table, and what it was measured on."""
    yield f"Written by `make bench-page ROWS={rows}`: a batch of {rows:,} sample loans, {CLIENTS} clients."
    yield ""
    yield "| what | measured | goal | met |"
    yield "|---|---|---|---|"
    yield from (each.line for each in goals)
    yield ""
    yield machine()


if __name__ == "__main__":
    main(int(sys.argv[1]))
