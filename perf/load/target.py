"""The system under load: a stack of its own, started for the test, or one that runs on this machine already."""

import ipaddress
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import psycopg

from perf.stack import Stack, running_stack
from upschedule.operations.embedded.seaweedfs import BUCKET
from upschedule.settings.servers import DEFAULT_REGION
from upschedule.stores.bucket import BucketAddress

#: With the limits of production every profile would measure the limits. The last lets a load test fill the queue.
RAISED_LIMITS = {
    "UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND": "100000",
    "UPSCHEDULE_LIMITS_REQUESTS_PER_SECOND_ADDRESS": "100000",
    "UPSCHEDULE_LIMITS_UPLOADS_PER_HOUR_ADDRESS": "100000",
    "UPSCHEDULE_LIMITS_STATUS_PER_MINUTE": "100000",
}


class Target(NamedTuple):
    """`addresses` of the servers inside are known of a stack of our own only; `supervisor` owns its processes.

    `output`: what the stack of our own has printed so far.
    """

    url: str
    supervisor: int | None
    addresses: Mapping[str, str]
    postgres_url: str | None
    objects: BucketAddress | None
    output: Sequence[str] = ()

    def connect(self) -> psycopg.Connection[tuple[object, ...]] | None:
        """A connection as the owner, to check the data after the load; None if the server is not our own."""
        return psycopg.connect(self.postgres_url, autocommit=True) if self.postgres_url else None


@contextmanager
def target(url: str | None, *, raised_limits: bool = True) -> Iterator[Target]:
    """A stack of our own where `url` is None.

    Raises ValueError for an address of another machine, and RuntimeError where our own stack does not start.
    """
    if url is not None:
        require_this_machine(url)
        yield Target(url.rstrip("/"), None, {}, None, None)
        return
    with running_stack(Path(sys.executable), RAISED_LIMITS if raised_limits else None) as stack:
        addresses = stack.addresses()
        yield Target(stack.url, stack.supervisor, addresses, stack.postgres_url(), _objects(stack), stack.output)


def _objects(stack: Stack) -> BucketAddress:
    """The bucket with the key of the scheduler, which may list objects."""
    keys = stack.passwords("objects")
    return BucketAddress.from_url(
        stack.addresses()["S3 store"],
        access_key=keys["scheduler-access"],
        secret_key=keys["scheduler-secret"],
        bucket=BUCKET,
        region=DEFAULT_REGION,
    )


def require_this_machine(url: str) -> None:
    """Raises ValueError unless every address of the host is a loopback address."""
    host = urlsplit(url).hostname
    if not host:
        raise ValueError(f"{url} is no address: give one such as http://127.0.0.1:8080")
    found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    if not all(ipaddress.ip_address(address).is_loopback for address in found):
        raise ValueError(f"{host} is another machine: load tests are for addresses of this one only")
