"""Releases of changed commits on the whole cluster, with the commands and the rights of the person who releases."""

import os
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tests.support.cluster.whole.cluster import NO_SHARES, consul_with
from tests.support.cluster.whole.traffic import Traffic, traffic
from tests.support.servers import wait_until
from tools.local_cluster.cluster import NAMESPACE, LocalCluster
from tools.local_cluster.release_command import pack_release
from upschedule.deploy.share import DocumentShareVariable

JOBS = ("api", "worker", "scheduler")
DONE, UNDER_WAY = 0, 10
GATE_NOT_PASSED, ROLLED_BACK, NOT_VERIFIED = 20, 22, 23
#: Above the bounds that the command sets itself.
COMMAND_SECONDS = 1500
#: Of all readers together, at the beginning.
SETTLING_REQUESTS = 300
LIMITS = (
    "limits/requests_per_second",
    "limits/status_per_minute",
    "limits/uploads_per_hour_address",
)
_IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.org", "-c", "commit.gpgsign=false")
#: Of a clone.
Change = Callable[[Path], None]


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The parts of a manifest that tests need."""

    version: str


@dataclass(frozen=True, kw_only=True)
class Done:
    """A command that has ended; `output` is all that it printed."""

    code: int
    output: str


def replacing(path: str, old: str, new: str) -> Change:
    """`old` occurs once in the file."""

    def change(repository: Path) -> None:
        file = repository / path
        text = file.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{path} no longer has {old!r} once: say what these tests shall change now"
        file.write_text(text.replace(old, new), encoding="utf-8")

    return change


def harmless(word: str) -> Change:
    """A commit of its own that does what the one before does."""

    def change(repository: Path) -> None:
        with (repository / "src/upschedule/__init__.py").open("a", encoding="utf-8") as file:
            file.write(f"# {word}\n")

    return change


def migrating(*migrations: tuple[str, str]) -> Change:
    """Adds files behind the last: each a name as in `expand_notes`, and its SQL."""

    def change(repository: Path) -> None:
        folder = repository / "migrations"
        last = len(list(folder.glob("*.sql")))
        for number, (name, sql) in enumerate(migrations, start=last + 1):
            (folder / f"{number:04d}_{name}.sql").write_text(f"{sql}\n", encoding="utf-8")

    return change


def make_release(cluster: LocalCluster, folder: Path, change: Change) -> str:
    """The manifest of a commit after the cluster's first release, packed and pushed; `folder` gets the clone."""
    return pack_release(commit(cluster, folder, change), cluster.release_store)


def commit(cluster: LocalCluster, folder: Path, change: Change) -> Path:
    """`folder`, with a clone of what the first release was made of and one commit more."""
    _git("clone", "--quiet", str(cluster.repository), str(folder))
    change(folder)
    _git("-C", str(folder), "add", "--all")
    _git("-C", str(folder), *_IDENTITY, "commit", "--quiet", "--message", "Change something")
    return folder


def version_of(manifest: str) -> str:
    return msgspec.json.decode(manifest, type=Manifest).version


def deploy(cluster: LocalCluster, *arguments: str) -> Done:
    """`upschedule deploy`, with the tokens that may release and nothing more; a test of shares names them."""
    tokens = {
        "NOMAD_TOKEN": cluster.stack.output("deployToken"),
        "CONSUL_HTTP_TOKEN": cluster.credentials.token("consul-deploy"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "upschedule", "deploy", *arguments],
        env={**os.environ, **cluster.environment, **NO_SHARES, **tokens},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    return Done(code=done.returncode, output=done.stdout)


@contextmanager
def tried(cluster: LocalCluster, settings: Mapping[str, str]) -> Iterator[None]:
    """Brings the stack up with `settings`; in the end they are as before, and what ran before runs."""
    before = {name: cluster.stack.setting(name) for name in settings}
    kept = set(released(cluster).values())
    cluster.stack.configure(settings, {})
    try:
        cluster.stack.up()
        yield
    finally:
        # Also a release that was promoted: the stack alone would start the earlier one as a canary, which waits.
        if deploy(cluster, "status").code == UNDER_WAY or set(released(cluster).values()) != kept:
            deploy(cluster, "revert")
        cluster.stack.configure({name: value for name, value in before.items() if value}, {})
        for name in [name for name, value in before.items() if not value]:
            cluster.stack.run("config", "rm", name)
        cluster.stack.up()
        cluster.await_healthy()
        settled = deploy(cluster, "status", "--wait-seconds", "120")
        assert (settled.code, set(released(cluster).values())) == (DONE, kept), settled.output


def serving(cluster: LocalCluster) -> dict[str, str]:
    """The start times of the tasks of each running instance of the application, by its id."""
    found = cluster.nomad.api.get("allocations", namespace=NAMESPACE)
    return {
        entry["ID"]: " ".join(sorted(state["StartedAt"] or "" for state in entry["TaskStates"].values()))
        for entry in found
        if entry["JobID"] in JOBS and entry["ClientStatus"] == "running" and entry["DesiredStatus"] == "run"
    }


def released(cluster: LocalCluster) -> dict[str, str]:
    """The release of each running instance, by its id."""
    versions: dict[str, str] = {}
    for identity in serving(cluster):
        found = cluster.nomad.api.get("allocation", identity, namespace=NAMESPACE)
        versions[identity] = found["Job"]["Meta"]["release"]
    return versions


def has_document_share(cluster: LocalCluster) -> bool:
    """Whether a worker's canary was given a share of the documents that was not removed."""
    path = DocumentShareVariable.path.split("/")
    return cluster.nomad.api.find("var", *path, namespace=NAMESPACE) is not None


@contextmanager
def unlimited_traffic(cluster: LocalCluster, *, readers: int, pause_seconds: float) -> Iterator[Traffic]:
    """Requests of many students without limits, so that later refusals come from the release."""
    verify = ssl.create_default_context(cafile=cluster.certificates.authority)
    with (
        _without_limits(cluster),
        traffic(cluster.plan.public_url, verify, readers=readers, pause_seconds=pause_seconds) as students,
    ):
        # Processes follow Consul within about a second.
        wait_until(lambda: students.seen.answered >= SETTLING_REQUESTS, timeout_seconds=120)
        students.seen.refused = 0
        yield students


@contextmanager
def _without_limits(cluster: LocalCluster) -> Iterator[None]:
    for name in LIMITS:
        assert consul_with(cluster, "operator").kv.put(f"upschedule/settings/{name}", "1000000")
    try:
        yield
    finally:
        for name in LIMITS:
            assert consul_with(cluster, "operator").kv.delete(f"upschedule/settings/{name}")


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, timeout=60)
