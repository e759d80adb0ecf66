"""`upschedule synthetic`: uses the service as a student does, and reports the result."""

import os
import sys
from pathlib import Path

import click

from upschedule import golden, logging
from upschedule.cli.failing import fail
from upschedule.deploy.clock import Clock
from upschedule.deploy.findings import table
from upschedule.deploy.http import Endpoint
from upschedule.deploy.synthetic.process import follow
from upschedule.deploy.synthetic.student import Credentials, SyntheticStudent

#: Often enough to act on; and 99 % of uploads are promised to be finished within a minute (docs/slo.md).
EVERY_SECONDS = 300.0
DOCUMENT_SECONDS = 60.0


@click.command("synthetic")
@click.option("--url", envvar="UPSCHEDULE_SYNTHETIC_URL", required=True, help="The public address of the service.")
@click.option(
    "--ca-file",
    envvar="UPSCHEDULE_SYNTHETIC_CA_FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="PEM of the authority that signed the certificate; without it the public authorities.",
)
@click.option("--mail", envvar="UPSCHEDULE_SYNTHETIC_MAIL", required=True, help="E-mail address of its account.")
@click.option(
    "--password",
    envvar="UPSCHEDULE_SYNTHETIC_PASSWORD",
    required=True,
    help="Password of its account. In the variable: others on this machine can see a command line.",
)
@click.option(
    "--every-seconds",
    envvar="UPSCHEDULE_SYNTHETIC_EVERY_SECONDS",
    type=click.FloatRange(10),
    default=EVERY_SECONDS,
    show_default=True,
    help="Time from the beginning of a run to that of the next.",
)
@click.option(
    "--document-seconds",
    envvar="UPSCHEDULE_SYNTHETIC_DOCUMENT_SECONDS",
    type=click.FloatRange(1),
    default=DOCUMENT_SECONDS,
    show_default=True,
    help="How long the reading of all documents may take, queue included.",
)
@click.option("--host", envvar="UPSCHEDULE_SYNTHETIC_HOST", default="127.0.0.1", show_default=True)
@click.option("--port", envvar="UPSCHEDULE_SYNTHETIC_PORT", type=click.IntRange(0, 65535), default=0, show_default=True)
@click.option("--once", is_flag=True, help="Run once, print the findings, and end with 1 if one of them is bad.")
def command(
    *,
    url: str,
    ca_file: Path | None,
    mail: str,
    password: str,
    every_seconds: float,
    document_seconds: float,
    host: str,
    port: int,
    once: bool,
) -> None:
    """Do what a student does with each golden document, again and again, and compare every field. Until a signal.

    Upload, status, timetable, calendar, feed, through the public address; then it deletes what it made. It signs up the
    first time. An operator has to exempt its account from limits: `upschedule ops exempt`, with the account that the
    log line `synthetic_signed_in` names.
    """
    site = Endpoint(name="The service", address=url, ca_file=str(ca_file) if ca_file else None)
    student = SyntheticStudent(
        site=site,
        golden=golden.load(),
        clock=Clock(),
        credentials=Credentials(email=mail, password=password),
        document_seconds=document_seconds,
    )
    if once:
        run = student.run()
        click.echo("\n".join(table(run.findings)))
        sys.exit(0 if run.ok else 1)
    logging.configure(level="info", process="synthetic")
    try:
        follow(student, every_seconds=every_seconds, host=host, port=port)
    except OSError as error:
        fail(os.EX_UNAVAILABLE, error)
