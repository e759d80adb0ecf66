"""Refuses a release while another one is under way, before Pulumi changes anything."""

import http.client
import json
import os
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import pulumi

#: States of a deployment that has neither succeeded nor failed.
UNDER_WAY = frozenset({"initializing", "pending", "blocked", "unblocking", "running", "paused"})
#: Bound of the wait for a change of the number of instances, which ends by itself once they have started.
PATIENCE_SECONDS = 180
_POLL_SECONDS = 2
_ANSWER_SECONDS = 15


@dataclass(frozen=True, kw_only=True)
class Rollout:
    """The release that the job was last registered with (empty: none), and the state of its last deployment.

    `scaling`: that deployment only changes the number of instances, as the autoscaler does.
    """

    job: str
    release: str
    deployment: str
    scaling: bool = False


class ReleaseUnderWay(pulumi.RunError):
    """Another release or a change of the number of instances is under way.

    Two releases at once would revert to each other. A release that fails while instances are added would make Nomad
    revert to the earlier number of instances.
    """

    def __init__(self, wanted: str, rollouts: Iterable[Rollout]) -> None:
        known = list(rollouts)
        jobs = ", ".join(f"{rollout.job} ({rollout.release}, {rollout.deployment})" for rollout in known)
        if all(rollout.scaling for rollout in known):
            super().__init__(
                f"Release {wanted} must wait: the number of instances has been changing for {PATIENCE_SECONDS} s in "
                f"{jobs}. See `upschedule deploy status`, and try again."
            )
            return
        super().__init__(
            f"Release {wanted} must wait: another is still on its way in {jobs}. "
            "Promote or revert it first: `upschedule deploy status`."
        )


class NomadSilent(pulumi.RunError):
    """Nomad cannot be asked whether a release is under way, so none may begin."""

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(f"Nomad at {address} does not say whether a release is on its way: {reason}")


def refuse_a_second_release(
    wanted: str, read: Callable[[], Sequence[Rollout]], pause: Callable[[float], None] = time.sleep
) -> None:
    """Waits while only numbers of instances change. Raises ReleaseUnderWay for a release, or after the wait."""
    others: list[Rollout] = []
    for _ in range(PATIENCE_SECONDS // _POLL_SECONDS):
        others = [each for each in read() if each.release not in ("", wanted) and each.deployment in UNDER_WAY]
        if not others:
            return
        if not all(each.scaling for each in others):
            break
        pause(_POLL_SECONDS)
    raise ReleaseUnderWay(wanted, others)


def read_rollouts(jobs: Iterable[str], namespace: str) -> list[Rollout]:
    """Reads the jobs from the Nomad that the environment's NOMAD_… variables name. Raises NomadSilent."""
    return [_read_rollout(job, namespace) for job in jobs]


def _read_rollout(job: str, namespace: str) -> Rollout:
    specification = _ask(f"/v1/job/{job}", namespace) or {}
    deployment = _ask(f"/v1/job/{job}/deployment", namespace) if specification else None
    return Rollout(
        job=job,
        release=(specification.get("Meta") or {}).get("release", ""),
        deployment=(deployment or {}).get("Status", ""),
        scaling=_is_scaling(deployment or {}),
    )


def _is_scaling(deployment: dict[str, Any]) -> bool:
    """True if the deployment replaces no instance: it has no canary, and is not the job's first one."""
    groups = (deployment.get("TaskGroups") or {}).values()
    return deployment.get("JobVersion", 0) > 0 and not any(group["DesiredCanaries"] for group in groups)


def _ask(path: str, namespace: str) -> dict[str, Any] | None:
    """None where there is no such thing."""
    address = os.environ.get("NOMAD_ADDR") or "http://127.0.0.1:4646"
    url = f"{address}{path}?{urllib.parse.urlencode({'namespace': namespace})}"
    # A line's end, as from a file, would be refused with the token in the error's text.
    token = {"X-Nomad-Token": os.environ.get("NOMAD_TOKEN", "").strip()}
    try:
        request = urllib.request.Request(url, headers=token)  # noqa: S310 - the operator's own
        with urllib.request.urlopen(request, timeout=_ANSWER_SECONDS, context=_context(address)) as answer:  # noqa: S310 - as above
            return json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise NomadSilent(address, f"{error.code} {error.reason}") from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise NomadSilent(address, str(error)) from error


def _context(address: str) -> ssl.SSLContext | None:
    if not address.startswith("https:"):
        return None
    context = ssl.create_default_context(cafile=os.environ.get("NOMAD_CACERT") or None)
    if certificate := os.environ.get("NOMAD_CLIENT_CERT"):
        context.load_cert_chain(certificate, os.environ.get("NOMAD_CLIENT_KEY"))
    return context
