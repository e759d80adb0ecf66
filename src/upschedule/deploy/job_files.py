"""Turns a job file with its variables into Nomad's own form of the job."""

from collections.abc import Mapping
from typing import Any

from upschedule.deploy.nomad import NomadClient

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def parse_job_file(nomad: NomadClient, text: str, variables: Mapping[str, str]) -> dict[str, Any]:
    """Asks Nomad, which registers nothing. Raises ServerRefused with Nomad's message about the wrong line."""
    lines = "".join(f"{name} = {literal(value)}\n" for name, value in variables.items())
    return nomad.call("POST", "jobs", "parse", body={"JobHCL": text, "Canonicalize": False, "Variables": lines})


def literal(text: str) -> str:
    """A text of HCL that means exactly `text`: nothing in it is evaluated."""
    quoted = "".join(_ESCAPES.get(letter) or (letter if letter >= " " else f"\\u{ord(letter):04x}") for letter in text)
    return '"' + quoted.replace("${", "$${").replace("%{", "%%{") + '"'
