"""Asks Nomad what a job file with its variables means."""

import os
from collections.abc import Mapping
from typing import Any

import pulumi

from upschedule.deploy.errors import ServerError
from upschedule.deploy.http import BRIEF
from upschedule.deploy.job_files import parse_job_file
from upschedule.deploy.nomad import NomadClient, nomad_endpoint

_ANSWER_SECONDS = 60


class JobUnreadable(pulumi.RunError):
    """Nomad cannot be asked, or does not accept the job file."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"Nomad at {address} does not read a job file: {reason}")


def parse_job(text: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """The job in Nomad's own form. The environment's NOMAD_… variables name the server. Raises JobUnreadable."""
    endpoint = nomad_endpoint(os.environ)
    nomad = NomadClient(endpoint, retries=BRIEF, read_seconds=_ANSWER_SECONDS)
    try:
        return parse_job_file(nomad, text, variables)
    except ServerError as error:
        raise JobUnreadable(endpoint.address, error.reason) from error
