"""Rollbacks on a real Nomad with the project's commands, with Nomad's own, and with both mixed (R12.3, R12.4)."""

import asyncio
import functools
import http.server
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.cluster.tooling import releases
from tests.support.cluster.tooling.deploy_site import CommandOutput, Site
from tests.support.cluster.tooling.releases import JOBS, SERVES, Release
from tests.support.fault_proxy import FaultProxy
from tests.support.servers import wait_until
from upschedule import golden
from upschedule.deploy.clock import Clock
from upschedule.deploy.environment import cluster_from
from upschedule.deploy.errors import PartlyKnown
from upschedule.deploy.gate import GateLimits, ReleaseContext
from upschedule.deploy.http import Endpoint
from upschedule.deploy.preflight import problems_of
from upschedule.deploy.probe import Probe
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.promote import Promotion
from upschedule.deploy.watch import Watcher

ONE, TWO = Release(name="one"), Release(name="two")
BAD = Release(name="bad", program=releases.CRASHES)
DONE, UNDER_WAY, FAILED, NOT_VERIFIED, NOT_REVERTED, PARTLY_KNOWN = 0, 10, 11, 23, 24, 27
#: Nomad keeps six versions of a job.
SEVEN = (2, 1, 2, 1, 2, 1, 2)


def settle(site: Site, *releases_: Release) -> None:
    """Deploys the releases in order and promotes each with Nomad's command. `deploy status` runs after each."""
    for number, release in enumerate(releases_):
        site.release(release)
        if number:
            site.await_phase("waiting")
            site.promote()
        site.await_phase("settled")
        site.deploy("status", "--wait-seconds", "30")


def runs(site: Site, release: str) -> bool:
    """Whether every job runs this release only."""
    return [site.running(job) for job in JOBS] == [{release}] * len(JOBS)


@pytest.mark.timeout(300)
def test_after_seven_scalings_a_revert_works_and_a_bad_release_is_reverted(site: Site) -> None:
    """Nomad has forgotten the earlier release by then, and still keeps a stable version of the current one."""
    settle(site, ONE, TWO)
    assert [each["release"] for each in site.records()] == ["one (c0ffeeone)", "two (c0ffeetwo)"]
    site.stack_applied("two")
    site.scale("api", *SEVEN)
    assert {each["Meta"]["release"] for each in site.versions("api")} == {"two"}

    back = site.deploy("revert")

    assert back.code == DONE, back.text
    assert runs(site, "one")
    assert [site.versions(job)[0]["TaskGroups"][0]["Count"] for job in JOBS] == [1, 1, 2]
    # A release that was left is not a target of another rollback.
    assert [each["release"] for each in site.records()] == ["one (c0ffeeone)"]
    drifted = site.deploy("status")
    assert (drifted.code, drifted.text.count("is not what the stack last applied")) == (FAILED, len(JOBS))
    site.stack_applied("one")
    assert site.deploy("status").code == DONE

    site.scale("api", 1, *SEVEN[:-1])
    assert all(each["Stable"] for each in site.versions("api"))
    site.release(BAD, "api")
    site.await_phase("returned", "api")
    assert site.running("api") == {"one"}
    assert site.versions("api")[0]["TaskGroups"][0]["Count"] == 1
    # The stack names the running release, so the release that was left is no longer reported as a failure.
    assert site.deploy("status", "--wait-seconds", "30").code == DONE
    assert site.deploy("status").code == DONE


@pytest.mark.timeout(300)
def test_a_release_can_be_left_after_the_next_one_failed(site: Site) -> None:
    """A second call after a failure changes nothing, and does not report success while an earlier release could run."""
    settle(site, ONE, TWO)
    site.stack_applied("bad")
    site.release(BAD)
    site.await_phase("returned")

    nothing = site.deploy("revert")
    assert (nothing.code, "starts the previous one, one (c0ffeeone)" in nothing.text) == (FAILED, True), nothing.text
    assert runs(site, "two")

    site.stack_applied("two")
    back = site.deploy("revert")
    assert back.code == DONE, back.text
    assert runs(site, "one")


@pytest.mark.timeout(300)
def test_a_token_from_before_the_records_can_revert(site: Site) -> None:
    """It reverts to a version that Nomad still knows.

    The next `pulumi up` gives the token the right to read records.
    """
    old = site.with_old_token()
    for release in (ONE, TWO):
        old.release(release)
        old.await_phase("waiting" if release is TWO else "settled")
    assert old.deploy("status").code == UNDER_WAY
    old.promote()
    old.await_phase("settled")
    status = old.deploy("status", "--wait-seconds", "30")
    assert (status.code, "may this token do that?" in status.text) == (DONE, True)

    back = old.deploy("revert")

    assert back.code == DONE, back.text
    assert runs(old, "one")


@pytest.mark.timeout(300)
def test_all_jobs_are_reverted_or_none(site: Site, tmp_path: Path) -> None:
    """The revert is refused before the first change, or undone when one of the jobs does not start."""
    (tmp_path / "one.tar.gz").write_bytes(b"an archive")
    broken = tmp_path / "broken"
    program = f"import os\nif os.path.exists({str(broken)!r}): raise SystemExit(7)\n{SERVES}"
    with served(tmp_path) as address:
        settle(site, Release(name="one", programs={"api": program}, archive=f"{address}/one.tar.gz"), TWO)
        before = {job: site.versions(job)[0]["Version"] for job in JOBS}

        (tmp_path / "one.tar.gz").unlink()
        refused = site.deploy("revert")
        assert refused.code == NOT_REVERTED, refused.text
        assert "one.tar.gz is not in the object store any more (404)" in refused.text
        assert "nothing was changed" in refused.text
        assert {job: site.versions(job)[0]["Version"] for job in JOBS} == before

    # The object store does not answer, and the nodes keep the archives that they ran last.
    broken.touch()
    undone = site.deploy("revert")
    assert undone.code == NOT_REVERTED, undone.text
    assert "Not checked whether" in undone.text
    assert "all jobs stay at the release that ran" in undone.text
    assert runs(site, "two")
    broken.unlink()
    again = site.deploy("revert")
    assert again.code == DONE, again.text
    assert runs(site, "one")


def test_a_recorded_job_that_fits_on_no_node_is_known_before_the_first_change(site: Site) -> None:
    settle(site, ONE)
    large = {**site.versions("worker")[0]}
    large["TaskGroups"][0]["Tasks"][0]["Resources"]["MemoryMB"] = 10_000_000
    wrong = {**site.versions("api")[0], "Priority": 1_000}
    cluster = cluster_from(site.environment, clock=Clock(), report=print)

    room, refused = problems_of(cluster, {"worker": large, "api": wrong})

    assert room == "worker: no node takes an instance: not enough memory on 1 nodes"
    assert refused.startswith("api: Nomad refuses PUT v1/job/api/plan: ")
    assert site.versions("worker")[0]["Version"] == site.versions("api")[0]["Version"] == 0


@pytest.mark.timeout(300)
def test_nomads_own_commands_and_ours_mix(site: Site) -> None:
    """One job is promoted and another fails."""
    settle(site, ONE)
    site.release(TWO)
    site.await_phase("waiting")
    site.promote("worker")
    assert site.nomad("deployment", "fail", site.deployment("scheduler")["ID"]).returncode == 0
    site.await_phase("returned", "scheduler")
    assert site.running("worker") == {"two"}

    back = site.deploy("revert")
    assert back.code == DONE, back.text
    assert runs(site, "one")
    assert site.deploy("revert").text.count("Nothing to revert") == 1


@pytest.mark.timeout(300)
def test_a_revert_of_one_job_by_nomad_mixes_with_ours_and_a_stopped_instance_is_no_release(site: Site) -> None:
    settle(site, ONE)
    site.release(TWO)
    site.await_phase("waiting")
    site.promote()
    assert site.deploy("status").code == DONE
    number = next(each["Version"] for each in site.versions("api") if each["Meta"]["release"] == "one")
    assert site.nomad("job", "revert", "-detach", "api", str(number)).returncode == 0
    site.await_phase("waiting", "api")
    assert site.deploy("status").code == UNDER_WAY
    undone = site.deploy("revert")
    assert undone.code == DONE, undone.text
    assert runs(site, "two")

    (instance, *_) = [
        each
        for each in site.agent.call("GET", "job/api/allocations", namespace=site.namespace)
        if each["ClientStatus"] == "running" and each["DesiredStatus"] == "run"
    ]
    stopped = site.agent.nomad("alloc", "stop", "-detach", f"-namespace={site.namespace}", instance["ID"])
    assert stopped.returncode == 0, stopped.stderr
    wait_until(lambda: site.running("api") == {"two"} and site.deploy("status").code in {DONE, FAILED})
    assert site.deploy("status", "--wait-seconds", "30").code == DONE


@pytest.mark.timeout(300)
def test_a_second_revert_continues_one_that_was_interrupted(site: Site) -> None:
    """The interrupted revert left canaries of the earlier release, like this registration.

    Undoing them would keep the bad release.
    """
    settle(site, ONE, TWO)
    site.stack_applied("two")
    site.release(ONE)
    site.await_phase("waiting")

    again = site.deploy("revert")

    assert again.code == DONE, again.text
    assert "An earlier `revert` did not finish" in again.text
    assert runs(site, "one")
    assert [each["release"] for each in site.records()] == ["one (c0ffeeone)"]


@pytest.mark.timeout(300)
def test_an_earlier_release_that_the_stack_names_is_undone_like_any_other(site: Site) -> None:
    settle(site, ONE, TWO)
    site.release(ONE)
    site.await_phase("waiting")
    site.stack_applied("one")

    back = site.deploy("revert")

    assert back.code == DONE, back.text
    assert runs(site, "two")


@pytest.mark.timeout(300)
async def test_a_promotion_goes_on_after_nomad_was_silent(site: Site) -> None:
    """The answer to the first promotion is lost, and Nomad is unreachable after it.

    All jobs are promoted, each once.
    """
    settle(site, ONE)
    site.release(TWO)
    site.await_phase("waiting")
    async with FaultProxy(urlsplit(site.agent.address).port or 0) as proxy:
        lost, unreachable = asyncio.Event(), asyncio.Event()
        promoting = asyncio.create_task(promote_through(site, proxy, lost, unreachable, silence_seconds=60))
        await asyncio.wait_for(lost.wait(), 60)
        await proxy.refuse()
        await asyncio.wait_for(unreachable.wait(), 60)
        await proxy.restore()
        result = await promoting

    # This site has no service that could be verified, so the release is reverted at the end.
    assert result.code == NOT_VERIFIED, result.text
    assert "The roll-out" not in result.text
    assert all(f"{job}: release two (c0ffeetwo), version 1: settled" in result.text for job in JOBS), result.text
    assert runs(site, "one")


@pytest.mark.timeout(300)
async def test_a_promotion_that_nomad_left_half_done_says_what_is_known_and_can_be_undone(site: Site) -> None:
    settle(site, ONE)
    site.release(TWO)
    site.await_phase("waiting")
    async with FaultProxy(urlsplit(site.agent.address).port or 0) as proxy:
        lost, unreachable = asyncio.Event(), asyncio.Event()
        promoting = asyncio.create_task(promote_through(site, proxy, lost, unreachable, silence_seconds=2))
        await asyncio.wait_for(lost.wait(), 60)
        await proxy.refuse()
        result = await promoting

    assert result.code == PARTLY_KNOWN, result.text
    assert "worker may be promoted, scheduler is not promoted, api is not promoted" in result.text
    site.await_phase("settled", "worker")
    back = await asyncio.to_thread(site.deploy, "revert")
    assert back.code == DONE, back.text
    assert runs(site, "one")


@pytest.mark.timeout(300)
async def test_a_silence_before_the_way_back_is_not_reported_as_no_change(site: Site) -> None:
    """Everything is promoted by then, but nothing could be verified."""
    settle(site, ONE)
    site.release(TWO)
    site.await_phase("waiting")
    async with FaultProxy(urlsplit(site.agent.address).port or 0) as proxy:
        loop = asyncio.get_running_loop()

        def report(line: str) -> None:
            if line == "Verification:":
                asyncio.run_coroutine_threadsafe(proxy.refuse(), loop).result(30)

        environment = {**site.environment, "NOMAD_ADDR": f"http://127.0.0.1:{proxy.port}"}
        cluster = cluster_from(environment, clock=Clock(), report=report, silence_seconds=2)
        nowhere = Endpoint(name="nowhere", address="http://127.0.0.1:1")
        probe = Probe(
            site=nowhere,
            prometheus=Prometheus(nowhere),
            golden=golden.load(),
            clock=cluster.clock,
            golden_seconds=1,
            silence_seconds=1,
            report=report,
        )
        context = ReleaseContext(cluster=cluster, probe=probe, limits=GateLimits(), watcher=Watcher(cluster))
        with pytest.raises(PartlyKnown, match="the promotion had begun"):
            await asyncio.to_thread(Promotion(context=context).run, gated=False)

    assert runs(site, "two")
    back = await asyncio.to_thread(site.deploy, "revert")
    assert back.code == DONE, back.text
    assert runs(site, "one")


async def promote_through(
    site: Site, proxy: FaultProxy, lost: asyncio.Event, unreachable: asyncio.Event, *, silence_seconds: int
) -> CommandOutput:
    """Sets `lost` when the first answer is lost, and `unreachable` when the command contacts Nomad again after that."""
    proxy.interrupt(after=b'"DeploymentModifyIndex"', by=b"")
    environment = {
        **site.environment,
        "NOMAD_ADDR": f"http://127.0.0.1:{proxy.port}",
        "UPSCHEDULE_DEPLOY_SILENCE_SECONDS": str(silence_seconds),
    }
    nowhere = ("--url", "http://127.0.0.1:1", "--prometheus", "http://127.0.0.1:1")
    command = [sys.executable, "-m", "upschedule", "deploy", "promote", "--no-gate", *nowhere]
    process = await asyncio.create_subprocess_exec(
        *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    assert process.stdout
    text = ""
    async for line in process.stdout:
        text += line.decode()
        if "cannot be asked" in text:
            lost.set()
        if ": asking again for " in text:
            unreachable.set()
    return CommandOutput(code=await process.wait(), text=text)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serves the folder over HTTP."""
    handler = functools.partial(QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        del format, args
