"""A job's versions in Nomad: which of them are one release, and which stable release came before. Pure."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from upschedule.deploy.nomad_model import Job, JobSnapshot

#: Fields that differ between two registrations of the same specification.
_BOOKKEEPING = frozenset(
    {
        "Version",
        "Stable",
        "Status",
        "StatusDescription",
        "Stop",
        "SubmitTime",
        "CreateIndex",
        "ModifyIndex",
        "JobModifyIndex",
        "NomadTokenID",
    }
)
_encoder = msgspec.json.Encoder(order="deterministic")


class EarlierVersion(msgspec.Struct, frozen=True, kw_only=True):
    """The version that a rollback registers again."""

    job: Job
    specification: dict[str, Any]


def fingerprint(specification: Mapping[str, Any]) -> str:
    """Equal for versions that differ only in their numbers of instances."""
    compared = {name: value for name, value in specification.items() if name not in _BOOKKEEPING}
    groups: list[dict[str, Any]] = specification["TaskGroups"]
    compared["TaskGroups"] = [{name: value for name, value in group.items() if name != "Count"} for group in groups]
    return hashlib.sha256(_encoder.encode(compared)).hexdigest()


def stable_version_before(snapshot: JobSnapshot) -> EarlierVersion | None:
    """The newest stable version from before the present specification was first registered.

    So two rollbacks go back two releases, and never to one that failed or was rolled back. None when Nomad, which
    keeps a handful of versions, has no such version.
    """
    prints = [fingerprint(specification) for specification in snapshot.specifications]
    first = max(index for index, each in enumerate(prints) if each == prints[0])
    for job, specification in list(zip(snapshot.versions, snapshot.specifications, strict=True))[first + 1 :]:
        if job.stable and not job.stop:
            return EarlierVersion(job=job, specification=specification)
    return None


def find_version(snapshot: JobSnapshot, number: int) -> Job | None:
    """None when Nomad has removed that version."""
    return next((job for job in snapshot.versions if job.version == number), None)
