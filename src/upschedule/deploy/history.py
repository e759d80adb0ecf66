"""Interprets a job's versions in Nomad: which of them are one release, and which are known to be good. Pure code."""

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
        "ConsulToken",
        "NomadTokenID",
        "VaultToken",
    }
)
_POLICY_BOOKKEEPING = frozenset({"ID", "CreateIndex", "ModifyIndex"})
_encoder = msgspec.json.Encoder(order="deterministic")


class GoodVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of which a deployment succeeded."""

    job: Job
    specification: dict[str, Any]


def normal_form(specification: Mapping[str, Any]) -> dict[str, Any]:
    """The specification as a person or a program wrote it, without what Nomad adds at each registration."""
    form = {name: value for name, value in specification.items() if name not in _BOOKKEEPING}
    groups: list[dict[str, Any]] = specification["TaskGroups"]
    form["TaskGroups"] = [_normal_group(group) for group in groups]
    return form


def _normal_group(group: dict[str, Any]) -> dict[str, Any]:
    if not group.get("Scaling"):
        return group
    policy = {name: value for name, value in group["Scaling"].items() if name not in _POLICY_BOOKKEEPING}
    return {**group, "Scaling": policy}


def fingerprint(specification: Mapping[str, Any]) -> str:
    """Equal for versions that differ only in their numbers of instances."""
    compared = normal_form(specification)
    compared["TaskGroups"] = [
        {name: value for name, value in group.items() if name != "Count"} for group in compared["TaskGroups"]
    ]
    return hashlib.sha256(_encoder.encode(compared)).hexdigest()


def stable_chain(snapshot: JobSnapshot) -> list[GoodVersion]:
    """The stable versions that led to the present one, newest first, one for each specification.

    Versions that failed, or were abandoned for an earlier version, are left out.
    """
    prints = [fingerprint(specification) for specification in snapshot.specifications]
    chain: list[GoodVersion] = []
    index = 0
    while index < len(prints):
        job = snapshot.versions[index]
        if not job.stable or job.stop:
            index += 1
            continue
        chain.append(GoodVersion(job=job, specification=snapshot.specifications[index]))
        # All versions after its first registration were abandoned for it.
        index = max(place for place, each in enumerate(prints) if each == prints[index]) + 1
    return chain


def find_version(snapshot: JobSnapshot, number: int) -> Job | None:
    """None when Nomad has removed that version."""
    return next((job for job in snapshot.versions if job.version == number), None)
