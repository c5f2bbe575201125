"""A run told to others as OpenLineage's events: what it read, what it wrote, how it ended."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from importlib.metadata import version as release
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from credit_spark.contract.errors import InputError
from credit_spark.storage.paths import writable

PRODUCER = f"urn:credit-spark:{release('credit-spark')}"
# Rows of a table, by what the ledger calls them.
ROWS = {"loans": "rows_accepted", "quarantine": "rows_quarantined", "scores": "rows_accepted"}


class About(NamedTuple):
    """What events are about: a command on a night of a portfolio, and the folder of its tables."""

    portfolio: str
    command: str
    run_id: str
    as_of: date
    folder: str


class Lineage(NamedTuple):
    """Where a run's events go, and what they are about."""

    target: str
    about: About

    def check(self) -> None:
        """Make sure that it is a server, or a file that can be written.

        Raises:
            InputError: it is neither.
        """
        if self.is_url:
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

    def tell(self, state: str, facts: Mapping[str, Any], why: str | None = None) -> None:
        """Send one event: START, COMPLETE or FAIL; `facts` are those of the ledger.

        Raises:
            Exception: nobody takes it.
        """
        from openlineage.client import OpenLineageClient
        from openlineage.client.event_v2 import Job, Run, RunEvent, RunState
        from openlineage.client.facet_v2 import error_message_run, nominal_time_run

        facets: dict[str, Any] = {
            "nominalTime": nominal_time_run.NominalTimeRunFacet(f"{self.about.as_of}T00:00:00Z")
        }
        if why:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(why, "PYTHON")
        is_end = state != "START"
        event = RunEvent(
            eventType=RunState[state],
            eventTime=datetime.now(UTC).isoformat(),
            run=Run(str(UUID(self.about.run_id)), facets),
            job=Job("credit-spark", f"{self.about.portfolio}.{self.about.command}"),
            producer=PRODUCER,
            inputs=self._inputs(facts) if is_end else [],
            outputs=self._outputs(facts) if is_end else [],
        )
        OpenLineageClient(transport=self._transport()).emit(event)

    def _transport(self) -> Any:
        if self.is_url:
            from openlineage.client.transport.http import HttpConfig, HttpTransport

            # The night does not wait for those who listen.
            return HttpTransport(HttpConfig(self.target, timeout=2.0, retry={"total": 1}))
        from openlineage.client.transport.file import FileConfig, FileTransport

        return FileTransport(FileConfig(os.fspath(Path(self.target).resolve()), append=True))

    def _inputs(self, facts: Mapping[str, Any]) -> list[Any]:
        from openlineage.client.event_v2 import InputDataset
        from openlineage.client.facet_v2 import input_statistics_input_dataset as statistics

        return [
            InputDataset(
                "landing",
                each["name"],
                inputFacets={
                    "inputStatistics": statistics.InputStatisticsInputDatasetFacet(
                        size=each["bytes"]
                    )
                },
            )
            for each in json.loads(facts.get("files", "[]"))
        ]

    def _outputs(self, facts: Mapping[str, Any]) -> list[Any]:
        from openlineage.client.event_v2 import OutputDataset
        from openlineage.client.facet_v2 import dataset_version_dataset as version
        from openlineage.client.facet_v2 import output_statistics_output_dataset as statistics

        written = json.loads(facts.get("table_versions", "{}"))
        return [
            OutputDataset(
                "delta",
                f"{self.about.folder}/{table}",
                facets={"version": version.DatasetVersionDatasetFacet(str(number))},
                outputFacets={
                    "outputStatistics": statistics.OutputStatisticsOutputDatasetFacet(
                        rowCount=facts.get(ROWS.get(table, ""))
                    )
                },
            )
            for table, number in sorted(written.items())
        ]
