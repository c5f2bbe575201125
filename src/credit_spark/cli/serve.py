"""The command that serves the page and its JSON."""

import logging
from ipaddress import ip_address
from typing import Any

import click

from credit_spark.cli.flags import portfolio_options
from credit_spark.cli.output import opened
from credit_spark.config.errors import InputError
from credit_spark.serving.answers import Answers

LOOPBACK = "127.0.0.1"


@click.command
@click.option("--host", default=LOOPBACK, show_default=True, help="Address to serve on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True)
@click.option("--token", envvar="CREDIT_SPARK_TOKEN", help="Needed beyond loopback.")
@portfolio_options
def serve(*, host: str, port: int, token: str | None, **where: Any) -> None:
    """Serve a page: the newest batch, a loan, an applicant; and the same as JSON."""
    contract, reader = opened(**where)
    # Flask takes half a second to import.
    import waitress

    from credit_spark.serving.app import application

    if not _is_loopback(host) and not token:
        raise InputError(
            f"{host} can be reached by others: give a --token that they must know (or set "
            f"CREDIT_SPARK_TOKEN), or serve on {LOOPBACK}"
        )
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    app = application(Answers(contract, reader), token)
    try:
        server = waitress.create_server(app, host=host, port=port, threads=4, ident=None)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(f"{host}:{port} cannot be served on: {why}") from None
    # A name may stand for several addresses, which are all served on.
    listening = getattr(server, "effective_listen", None) or [(host, server.effective_port)]
    click.echo(f"{contract.title}: http://{host}:{listening[0][1]}/  (Ctrl-C ends it)")
    server.run()


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
