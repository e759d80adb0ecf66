"""Which of a job's versions is which release. Pure."""

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec

from upschedule.deploy.nomad_model import Job, Snapshot

#: What differs between two registrations of the same specification.
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
    """To go back to."""

    job: Job
    specification: dict[str, Any]


def fingerprint(specification: Mapping[str, Any]) -> str:
    """Equal for versions that differ in nothing but how many instances they want."""
    kept = {name: value for name, value in specification.items() if name not in _BOOKKEEPING}
    groups: list[dict[str, Any]] = specification["TaskGroups"]
    kept["TaskGroups"] = [{name: value for name, value in group.items() if name != "Count"} for group in groups]
    return hashlib.sha256(_encoder.encode(kept)).hexdigest()


def earlier(snapshot: Snapshot) -> EarlierVersion | None:
    """The newest stable version from before the present specification was first registered.

    So going back twice goes back two releases, and never to one that failed or was left. None: Nomad, which keeps a
    handful of versions, knows of none.
    """
    prints = [fingerprint(specification) for specification in snapshot.specifications]
    first = max(index for index, each in enumerate(prints) if each == prints[0])
    for job, specification in list(zip(snapshot.versions, snapshot.specifications, strict=True))[first + 1 :]:
        if job.stable and not job.stop:
            return EarlierVersion(job=job, specification=specification)
    return None


def version(snapshot: Snapshot, number: int) -> Job | None:
    """None where Nomad no longer keeps it."""
    return next((job for job in snapshot.versions if job.version == number), None)
