"""Job files and the variables that they declare."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.paths import ROOT

FILES = ROOT / "jobs"
SUFFIX = ".nomad.hcl"


@dataclass(frozen=True, kw_only=True)
class SharedFile:
    """A file of several jobs; `names` are its expressions that differ by job and occur in paths of secrets."""

    name: str
    names: dict[str, str] = field(default_factory=dict[str, str])


SHARED_FILES = {
    "worker": SharedFile(
        name="background", names={"local.secrets": "nomad/jobs/worker/worker", "local.process.task": "work"}
    ),
    "scheduler": SharedFile(
        name="background", names={"local.secrets": "nomad/jobs/scheduler/scheduler", "local.process.task": "schedule"}
    ),
    **{
        f"{name}-exporter": SharedFile(name="exporter", names={"local.id": f"{name}-exporter"})
        for name in ("postgres", "pgbouncer", "redis", "node", "blackbox")
    },
    "redis-state": SharedFile(name="redis", names={"local.id": "redis-state"}),
    "redis-cache": SharedFile(name="redis", names={"local.id": "redis-cache"}),
}
_OWN_FILES = {file.name.removesuffix(SUFFIX) for file in FILES.glob(f"*{SUFFIX}")} - {
    shared.name for shared in SHARED_FILES.values()
}
JOBS = tuple(sorted({*_OWN_FILES, *SHARED_FILES}))
_VARIABLE = re.compile(r'^variable "(?P<name>\w+)" \{(?P<body>.*?)\}\n', re.DOTALL | re.MULTILINE)
_DEFAULT = re.compile(r"\bdefault\s+= (?P<value>.*)")


def path(job: str) -> Path:
    return FILES / f"{file_name(job)}{SUFFIX}"


def file_name(job: str) -> str:
    """The name of the job's file, without its suffix."""
    return SHARED_FILES[job].name if job in SHARED_FILES else job


def text(job: str) -> str:
    return path(job).read_text(encoding="utf-8")


def text_with_names(job: str) -> str:
    """The text of the job's file, with the names of this job where a shared file has an expression."""
    found = text(job)
    for expression, name in SHARED_FILES[job].names.items() if job in SHARED_FILES else ():
        found = found.replace(f"${{{expression}}}", name)
    return found


def declared(job: str) -> dict[str, str | None]:
    """Variables with their defaults as the program would write them; None: must be given."""
    defaults = {match["name"]: _DEFAULT.search(match["body"]) for match in _VARIABLE.finditer(text(job))}
    return {name: default["value"].strip('"') if default else None for name, default in defaults.items()}
