"""A run as OpenLineage's events: what it read, what it wrote, how it ended."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from importlib.metadata import version as release
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit
from uuid import UUID

from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import dataset_version_dataset as versions
from openlineage.client.facet_v2 import error_message_run as errors
from openlineage.client.facet_v2 import input_statistics_input_dataset as of_input
from openlineage.client.facet_v2 import nominal_time_run as times
from openlineage.client.facet_v2 import output_statistics_output_dataset as of_output
from openlineage.client.transport.file import FileConfig, FileTransport
from openlineage.client.transport.http import HttpConfig, HttpTransport

from credit_spark.config.errors import InputError
from credit_spark.storage.paths import writable

PRODUCER = f"urn:credit-spark:{release('credit-spark')}"
# What the client adds to a server's address.
ENDPOINT = "api/v1/lineage"
# Rows of a table, by the name of the fact.
ROWS = {"loans": "rows_accepted", "quarantine": "rows_quarantined", "scores": "rows_accepted"}


class Lineage(NamedTuple):
    """Where a run's events go, and what they are about; `folder` is that of its tables."""

    target: str
    portfolio: str
    command: str
    run_id: str
    as_of: date
    folder: str

    def check(self) -> None:
        """Make sure that it is a server, or a file that can be written.

        Raises:
            InputError: it is neither.
        """
        with suppress(ValueError):
            if self.is_url and urlsplit(self.target).hostname:
                return
        if "://" in self.target or Path(self.target).is_dir():
            raise InputError(
                "--lineage is a file, or a server's URL that begins with http:// or https://, "
                f"and not {self.target}"
            )
        writable(str(Path(self.target).resolve().parent), "--lineage")

    @property
    def is_url(self) -> bool:
        """Whether events go to a server."""
        return self.target.startswith(("http://", "https://"))

    def emit(self, state: str, facts: Mapping[str, Any], why: str | None = None) -> None:
        """Send one event: START, COMPLETE or FAIL; `facts` are those of the run.

        Raises:
            Exception: the server or the file cannot take it.
        """
        time = times.NominalTimeRunFacet(f"{self.as_of}T00:00:00Z")
        facets: dict[str, Any] = {"nominalTime": time}
        if why:
            facets["errorMessage"] = errors.ErrorMessageRunFacet(why, "PYTHON")
        event = RunEvent(
            eventType=RunState[state],
            eventTime=datetime.now(UTC).isoformat(),
            run=Run(str(UUID(self.run_id)), facets),
            job=Job("credit-spark", f"{self.portfolio}.{self.command}"),
            producer=PRODUCER,
            inputs=_inputs(facts),
            outputs=list(self._outputs(facts)),
        )
        # The batch does not wait for those who listen.
        transport = (
            HttpTransport(HttpConfig(_server(self.target), timeout=2.0, retry={"total": 1}))
            if self.is_url
            else FileTransport(FileConfig(str(Path(self.target).resolve()), append=True))
        )
        OpenLineageClient(transport=transport).emit(event)

    def _outputs(self, facts: Mapping[str, Any]) -> Iterator[OutputDataset]:
        written = json.loads(facts.get("table_versions", "{}"))
        for table, number in sorted(written.items()):
            version = versions.DatasetVersionDatasetFacet(str(number))
            rows = facts.get(ROWS.get(table, ""))
            statistics = of_output.OutputStatisticsOutputDatasetFacet(rowCount=rows)
            yield OutputDataset(
                "delta",
                f"{self.folder}/{table}",
                facets={"version": version},
                outputFacets={"outputStatistics": statistics},
            )


def _server(url: str) -> str:
    """The address below which the client finds its endpoint, also where that is given, too.

    >>> _server("https://host/proxy"), _server("https://host/api/v1/lineage")
    ('https://host/proxy/', 'https://host/')
    """
    return url.rstrip("/").removesuffix(f"/{ENDPOINT}") + "/"


def _inputs(facts: Mapping[str, Any]) -> list[InputDataset]:
    facet = of_input.InputStatisticsInputDatasetFacet
    return [
        InputDataset(
            "landing", each["name"], inputFacets={"inputStatistics": facet(size=each["bytes"])}
        )
        for each in json.loads(facts.get("files", "[]"))
    ]
