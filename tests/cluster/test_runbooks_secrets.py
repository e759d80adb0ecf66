"""Secrets are replaced as the runbook says, and failed requests of users are counted meanwhile (R8.2)."""

import secrets
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import redis
from minio import Minio
from minio.error import S3Error

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.cluster import (
    application_url,
    consul_with,
    derived,
    is_permitted,
    object_store,
    owner_url,
    shared_url,
)
from tests.support.cluster.whole.outages import visiting
from tests.support.cluster.whole.releases import unlimited_traffic
from tests.support.cluster.whole.runbooks import follow, shell
from tests.support.documents.generate import document
from tests.support.servers import wait_until
from tools.local_cluster.cluster import LocalCluster
from upschedule.operations.privileges.identities import PROCESSES

pytestmark = pytest.mark.timeout(1500)
DOCUMENTS_SECONDS = 600
#: The time until the object store has read its new keys.
RELOADED_SECONDS = 60


@pytest.fixture
def sre(cluster: LocalCluster) -> Iterator[dict[str, str]]:
    """The environment of an operator's shell, with the management token. Rotated secrets stay in use afterwards."""
    yield {**shell(cluster), "CONSUL_MANAGEMENT_TOKEN": cluster.credentials.token("consul-management")}
    cluster.up()


@pytest.fixture
def students(cluster: LocalCluster, figure: Figure) -> Iterator[None]:
    """Students read and upload all the time, and none of their requests may fail."""
    with unlimited_traffic(cluster, readers=4, pause_seconds=0.2) as traffic:
        before = traffic.seen.answered
        uploads = traffic.upload([document(seed, rows_max=10) for seed in range(20)], at_once=1)
        yield
        uploads.result(DOCUMENTS_SECONDS)
    figure("requests answered during a rotation", traffic.seen.answered - before)
    figure("documents read right meanwhile", traffic.seen.documents)
    figure("requests and documents that failed", len(traffic.seen.failures))
    assert (traffic.seen.failures, traffic.seen.documents) == ([], 20)


@pytest.mark.long
def test_redis_passwords(cluster: LocalCluster, sre: dict[str, str], students: None, tmp_path: Path) -> None:
    """The old passwords are refused."""
    before = dict(redis_passwords(cluster))
    follow("rotate-secrets", "Redis passwords", environment=sre, folder=tmp_path)
    cluster.adopt_secrets()
    for who, word in redis_passwords(cluster):
        assert opens(cluster, who, word)
        assert not opens(cluster, who, before[who])


def redis_passwords(cluster: LocalCluster) -> Iterator[tuple[tuple[str, str], str]]:
    """Yields the passwords by port and user."""
    for name in ("redisState", "redisCache"):
        word = cluster.credentials.password(f"{name}Password")
        yield (f"{name}Port", "default"), word
        for process in PROCESSES:
            yield (f"{name}Port", process), derived(word, process)


def opens(cluster: LocalCluster, who: tuple[str, str], password: str) -> bool:
    port, user = who
    host, _, number = cluster.plan.address(port).partition(":")
    with redis.Redis(host=host, port=int(number), username=user, password=password) as client:
        try:
            return bool(client.ping())
        except redis.AuthenticationError:
            return False


@pytest.mark.long
def test_the_applications_database_password(
    cluster: LocalCluster, sre: dict[str, str], students: None, tmp_path: Path
) -> None:
    """Through PgBouncer, the new password is accepted and the old one is refused."""
    before = database_urls(cluster)
    follow("rotate-secrets", "The application's database password", environment=sre, folder=tmp_path)
    cluster.adopt_secrets()
    for url in database_urls(cluster):
        psycopg.connect(url).close()
    for url in before:
        with pytest.raises(psycopg.OperationalError, match="authentication failed"):
            psycopg.connect(url)


def database_urls(cluster: LocalCluster) -> list[str]:
    """The URLs of each process, and that of older releases."""
    return [*(application_url(cluster, process) for process in PROCESSES), shared_url(cluster)]


def test_the_database_owners_password(cluster: LocalCluster, sre: dict[str, str], tmp_path: Path) -> None:
    """The new password is accepted, and the old one is refused."""
    before = owner_url(cluster)
    follow("rotate-secrets", "The database owner's password", environment=sre, folder=tmp_path)
    cluster.adopt_secrets()
    psycopg.connect(owner_url(cluster)).close()
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        psycopg.connect(before)


@pytest.mark.long
def test_the_feed_secret(cluster: LocalCluster, sre: dict[str, str], students: None) -> None:
    """Existing subscriptions still work.

    The page shows a wrong link until its owner renews it, as the runbook warns.
    """
    verify = ssl.create_default_context(cafile=cluster.certificates.authority)
    with httpx.Client(base_url=cluster.plan.public_url, verify=verify, timeout=20) as person:
        files = {"file": ("schedule.pdf", document(1, rows_max=10).data, "application/pdf")}
        job = person.post("/api/v1/uploads", files=files).raise_for_status().json()["id"]
        wait_until(lambda: person.get(f"/api/v1/jobs/{job}").json()["status"] == "completed", timeout_seconds=60)
        created = person.post("/api/v1/calendars", json={"jobs": [job]})
        assert created.is_success, created.text
        subscribed, address = created.json()["feed_url"], f"/api/v1/calendars/{created.json()['id']}"
        follow("rotate-secrets", "The feed secret", environment=sre)

        link = person.get(address).json()["feed_url"]
        assert (person.get(subscribed).status_code, person.get(link).status_code) == (200, 404)
        renewed = person.patch(address, json={"rotate_feed": True}).json()["feed_url"]
        assert (person.get(subscribed).status_code, person.get(renewed).status_code) == (404, 200)


@pytest.mark.long
def test_the_applications_key_to_the_object_store(cluster: LocalCluster, sre: dict[str, str], students: None) -> None:
    """The old key pair is refused."""
    before = object_store(cluster, "upschedule", "objectStoreApplicationSecretKey")
    follow("rotate-secrets", "The application's key to the object store", environment=sre)
    wait_until(lambda: not opens_bucket(before, "uploads"), timeout_seconds=RELOADED_SECONDS)


def opens_bucket(store: Minio, bucket: str) -> bool:
    try:
        return store.bucket_exists(bucket_name=bucket)
    except S3Error:
        return False


def test_the_object_stores_keys_for_releases_and_backups(cluster: LocalCluster, sre: dict[str, str]) -> None:
    """The new keys open their buckets, and the old ones are refused."""
    pairs = [
        ("release", "objectStoreReleaseSecretKey", "releases"),
        ("backup", "objectStoreBackupSecretKey", "backups"),
    ]
    before = [object_store(cluster, access, secret) for access, secret, _ in pairs]
    follow("rotate-secrets", "The object store's keys for releases and backups", environment=sre)
    cluster.adopt_secrets()
    for old, (access, secret, bucket) in zip(before, pairs, strict=True):
        new = object_store(cluster, access, secret)
        wait_until(lambda new=new, bucket=bucket: opens_bucket(new, bucket), timeout_seconds=RELOADED_SECONDS)
        assert not opens_bucket(old, bucket)


@pytest.mark.long
def test_the_applications_consul_token(cluster: LocalCluster, sre: dict[str, str], students: None) -> None:
    """Consul no longer knows the old token."""
    before = cluster.credentials.token("consul-application")
    follow("rotate-secrets", "The application's Consul token", environment=sre)
    cluster.adopt_secrets()
    assert is_token(cluster, "application")
    assert before != cluster.credentials.token("consul-application")
    assert is_revoked(cluster, before)


def is_token(cluster: LocalCluster, name: str) -> bool:
    return is_permitted(consul_with(cluster, name).acl.token.read_self)


def is_revoked(cluster: LocalCluster, secret: str) -> bool:
    """Whether Consul refuses a secret that belonged to a token."""
    return not is_permitted(lambda: consul_with(cluster, "").acl.token.read_self(token=secret))


def test_traefiks_consul_token(cluster: LocalCluster, sre: dict[str, str], figure: Figure) -> None:
    """Traefik restarts, as the runbook warns."""
    before = cluster.credentials.token("consul-traefik")
    with visiting(cluster, "/health/live") as visits:
        follow("rotate-secrets", "Traefik's Consul token", environment=sre)
    figure("s without an answer while Traefik gets a new token of Consul", visits.longest_seconds)
    cluster.adopt_secrets()
    assert is_token(cluster, "traefik")
    assert is_revoked(cluster, before)


def test_nomads_tokens_for_releases_for_operators_and_for_the_autoscaler(
    cluster: LocalCluster, sre: dict[str, str]
) -> None:
    """Nomad no longer knows the old tokens."""
    before = tokens(cluster)
    output = follow(
        "rotate-secrets", "Nomad's tokens for releases, for operators and for the autoscaler", environment=sre
    )
    assert cluster.stack.output("deployToken") in output
    assert cluster.stack.output("operatorToken") in output
    after = tokens(cluster)
    replaced = {accessor for accessor, token in before.items() if token["Type"] == "client"}
    assert replaced
    assert after.keys() & before.keys() == before.keys() - replaced
    assert len(after) == len(before)


def tokens(cluster: LocalCluster) -> dict[str, Any]:
    return {token["AccessorID"]: token for token in cluster.nomad.api.get("acl", "tokens")}


def test_nomads_management_token(cluster: LocalCluster, sre: dict[str, str]) -> None:
    """Nomad no longer knows the old token.

    The test does not replace the cluster's first token, since others still use it.
    """
    api, body = cluster.nomad.api, {"Name": "before", "Type": "management"}
    before, known = api.call("POST", "acl", "token", body=body), tokens(cluster)
    follow("rotate-secrets", "Nomad's management token", environment={**sre, "NOMAD_TOKEN": before["SecretID"]})
    after = tokens(cluster)
    assert before["AccessorID"] not in after
    (new,) = after.keys() - known.keys()
    assert after[new]["Type"] == "management"
    api.call("DELETE", "acl", "token", new)


def test_the_passphrase_of_the_stacks_secrets(cluster: LocalCluster, sre: dict[str, str]) -> None:
    """The stack is unchanged with the new passphrase, and then with the old one again."""
    new = {"NEW_PASSPHRASE": secrets.token_urlsafe()}
    follow("rotate-secrets", "The passphrase of the stack's secrets", environment={**sre, **new})
    again = {"PULUMI_CONFIG_PASSPHRASE": new["NEW_PASSPHRASE"], "PULUMI_CONFIG_PASSPHRASE_FILE": ""}
    again["NEW_PASSPHRASE"] = cluster.credentials.password("pulumi-passphrase")
    follow("rotate-secrets", "The passphrase of the stack's secrets", environment={**sre, **again})
    assert cluster.stack.output("deployToken")
