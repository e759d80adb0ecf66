"""Checks whether recorded jobs can be started, before the first change."""

from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

import urllib3
from urllib3.exceptions import HTTPError

from upschedule.deploy.environment import Cluster
from upschedule.deploy.errors import ServerRefused
from upschedule.deploy.explain import missing_resources
from upschedule.deploy.http import BRIEF, CONNECT_SECONDS, READ_SECONDS, reason_of

#: The task that unpacks a release on a node; its arguments name the archives.
_FETCH = "fetch"
_GONE = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


def problems_of(cluster: Cluster, specifications: Mapping[str, dict[str, Any]]) -> list[str]:
    """One sentence for each reason why Nomad could not start one of the jobs. Raises ServerUnreachable.

    An object store that does not answer is no such reason: nodes keep the releases that they ran last.
    """
    problems: list[str] = []
    for name, specification in specifications.items():
        try:
            planned = cluster.nomad.plan_job(specification)
        except ServerRefused as error:
            problems.append(f"{name}: {error}")
            continue
        problems += [f"{name}: no node takes an instance: {reason}" for reason in missing_resources([planned])]
    urls = dict.fromkeys(url for each in specifications.values() for url in archives_of(each))
    return problems + _missing_archives(cluster, urls)


def archives_of(specification: Mapping[str, Any]) -> Iterator[str]:
    """The addresses that a node fetches the release from. A pure function."""
    for group in specification["TaskGroups"]:
        for task in group["Tasks"]:
            if task["Name"] == _FETCH:
                configuration: dict[str, Any] = task["Config"] or {}
                # HCL gives numbers where a value was calculated.
                words = map(str, configuration.get("args") or [])
                yield from (word for word in words if word.startswith(("http://", "https://")))


def _missing_archives(cluster: Cluster, urls: Mapping[str, None]) -> list[str]:
    missing: list[str] = []
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    with urllib3.PoolManager(timeout=timeout, retries=BRIEF) as pool:
        for url in urls:
            try:
                status = pool.request("HEAD", url).status
            except HTTPError as error:
                cluster.report(f"Not checked whether {url} is still there: {reason_of(error)}")
                continue
            if status in _GONE:
                missing.append(f"{url} is not in the object store any more ({status}).")
            elif status != HTTPStatus.OK:
                cluster.report(f"Not checked whether {url} is still there: {status}")
    return missing
