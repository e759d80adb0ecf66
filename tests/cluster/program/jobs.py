"""What the job files declare."""

import re
from pathlib import Path

FILES = Path(__file__).parents[3] / "jobs"
SUFFIX = ".nomad.hcl"
JOBS = tuple(sorted(file.name.removesuffix(SUFFIX) for file in FILES.glob(f"*{SUFFIX}")))
_VARIABLE = re.compile(r'^variable "(?P<name>\w+)" \{(?P<body>.*?)\}\n', re.DOTALL | re.MULTILINE)
_DEFAULT = re.compile(r"\bdefault\s+= (?P<value>.*)")


def text(job: str) -> str:
    return (FILES / f"{job}{SUFFIX}").read_text(encoding="utf-8")


def declared(job: str) -> dict[str, str | None]:
    """Variables with their defaults as the program would write them; None: must be given."""
    defaults = {match["name"]: _DEFAULT.search(match["body"]) for match in _VARIABLE.finditer(text(job))}
    return {name: default["value"].strip('"') if default else None for name, default in defaults.items()}
