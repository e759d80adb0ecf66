"""`upschedule deploy` against a real Nomad and Consul, with the deploy token (R12.2, R12.3)."""

import signal
import subprocess
import sys
import time

import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.tooling import releases
from tests.support.cluster.tooling.deploy_site import Site
from tests.support.cluster.tooling.releases import JOBS, Release
from tests.support.servers import wait_until

ONE, TWO = Release(name="one"), Release(name="two")
DONE, UNDER_WAY, FAILED, UNHEALTHY, GATE_NOT_PASSED, NOTHING_TO_GATE, ROLLED_BACK = 0, 10, 11, 12, 20, 21, 22
NOT_REVERTED, INTERRUPTED = 24, 130


def test_nothing_is_there_before_the_first_release(site: Site) -> None:
    result = site.deploy("status")

    assert result.code == UNHEALTHY
    assert result.text.count("no release has been started") == len(JOBS)
    assert (
        site.deploy("gate", "--url", "http://127.0.0.1:1", "--prometheus", "http://127.0.0.1:1").code == NOTHING_TO_GATE
    )


def test_a_release_is_shown_from_its_start_to_its_promotion(site: Site) -> None:
    """The phases are: settled, canary under way, and waiting for a promotion.

    `watch` ends when nothing changes any more.
    """
    site.release(ONE)
    assert site.deploy("watch").code == DONE
    settled = site.deploy("status")
    assert settled.code == DONE, settled.text
    assert "release one (c0ffeeone), version 0: settled, 1 of 1 instances run" in settled.text
    assert settled.text.count("checks pass") == len(JOBS)

    site.release(TWO)
    site.await_phase("waiting")
    waiting = site.deploy("status")
    assert waiting.code == UNDER_WAY
    assert "waits for promotion: `upschedule deploy promote`" in waiting.text
    assert site.running("api") == {"one", "two"}


@pytest.mark.parametrize(
    ("bad", "reasons"),
    [
        (
            Release(name="bad", prestart="print('column grade is missing'); raise SystemExit(4)"),
            ["prestart task prepare ended with exit code 4", "prepare | column grade is missing"],
        ),
        (
            Release(name="bad", program=releases.CRASHES),
            ["task serve ended with exit code 78", "serve | cannot find its settings"],
        ),
        (
            Release(name="bad", program=releases.IS_KILLED),
            ["task serve was killed (exit code 137), as happens above its memory limit of 30 MB"],
        ),
        (
            Release(name="bad", program=releases.FAILS_ITS_CHECK, healthy_seconds=25),
            ["still check 'ready' of api is critical", "the golden document was read wrongly"],
        ),
        (
            Release(name="bad", program=releases.HANGS, healthy_seconds=25),
            ["still check 'ready' of api is critical", "connection refused"],
        ),
    ],
    ids=["prestart", "crash", "memory", "check", "hang"],
)
def test_watch_says_why_a_canary_failed_and_that_the_earlier_release_is_back(
    site: Site, bad: Release, reasons: list[str]
) -> None:
    """One output contains both the reason and the state (R12.3)."""
    site.release(ONE)
    site.await_phase("settled")
    site.release(bad, "api")

    result = site.deploy("watch")

    assert result.code == FAILED
    assert [reason for reason in reasons if reason not in result.text] == [], result.text
    assert "release bad (c0ffeebad) (version 1) failed" in result.text
    assert "the earlier release is back" in result.text
    assert site.running("api") == {"one"}
    assert site.deploy("status").code == FAILED
    assert site.deploy("status", "--wait-seconds", "60").code == DONE


def test_a_canary_that_crashes_is_given_up_within_a_minute_and_the_wait_says_why(site: Site, figure: Figure) -> None:
    """Nomad alone does this with the restarts and deadlines of the job files (R12.3).

    A healthy start may take 15 minutes. The test's figure shows that it takes less than a minute. The time is bounded
    by three restarts, 3 s apart.
    """
    site.release(ONE)
    site.await_phase("settled")
    began = time.monotonic()
    site.release(Release(name="bad", program=releases.CRASHES, healthy_seconds=900, restarts=3), "api")
    crash = ["task serve ended with exit code 78", "serve | cannot find its settings"]

    def waits_and_says_why() -> bool:
        result = site.deploy("status")
        return result.code == UNDER_WAY and all(reason in result.text for reason in crash)

    wait_until(waits_and_says_why, timeout_seconds=30)
    result = site.deploy("watch")

    assert result.code == FAILED, result.text
    figure("seconds until a release that crashes is given up and all is back", time.monotonic() - began)
    waiting, _, _ = result.text.partition("failed: Failed due to unhealthy allocations")
    assert [reason for reason in crash if reason not in waiting] == [], result.text
    assert "task serve ended with exit code 78, 4 times" in result.text
    assert site.running("api") == {"one"}


@pytest.mark.parametrize(
    ("gated", "code", "reason", "decision"),
    [
        (
            "--gate",
            GATE_NOT_PASSED,
            "Not ok: restarts of the canaries: instance ",
            "gate not passed; it found: restarts of the canaries: instance ",
        ),
        (
            "--no-gate",
            ROLLED_BACK,
            "Instances of the release restart (instance ",
            "promotion without the gate; the last gate: no gate has compared it",
        ),
    ],
)
def test_a_release_whose_instances_are_killed_is_reverted_although_each_becomes_healthy_again(
    site: Site, gated: str, code: int, reason: str, decision: str
) -> None:
    """Such a release needs more memory with every request. The gate or Nomad's deployment reverts it (R12.3).

    `status` shows the gate's findings, or that the gate was skipped.
    """
    site.release(ONE)
    site.await_phase("settled")
    site.release(Release(name="bad", program=releases.DIES_LATER, healthy_seconds=900, restarts=3), "api")
    wait_until(lambda: site.restarts("api") and site.phases()["api"] == "waiting", timeout_seconds=30)
    nowhere = "http://127.0.0.1:1"
    result = site.deploy("promote", gated, "--url", nowhere, "--prometheus", nowhere)

    assert result.code == code, result.text
    assert reason in result.text
    assert "task serve was killed (exit code 137), as happens above its memory limit" in result.text
    assert "The earlier release runs on all instances." in result.text
    assert site.running("api") == {"one"}
    assert f" release bad (c0ffeebad): {decision}" in site.deploy("status").text


def test_a_canary_without_room_is_reported_as_such(site: Site) -> None:
    """Nomad alone would wait without a limit and without a message."""
    site.release(ONE)
    site.await_phase("settled")
    site.release(Release(name="large", memory_mb=10_000_000), "worker")
    site.await_phase("starting", "worker")

    assert "no node takes an instance: not enough memory on 1 nodes" in site.deploy("status").text


def test_revert_fails_what_is_under_way_and_a_second_call_changes_nothing(site: Site) -> None:
    """Jobs that have settled in the meantime are not changed."""
    site.release(ONE)
    site.await_phase("settled")
    site.release(TWO)
    site.await_phase("waiting")

    first = site.deploy("revert")
    assert first.code == DONE, first.text
    assert "is under way: this command marks it as failed" in first.text
    assert "a person or the gate decided so" in first.text
    second = site.deploy("revert")
    assert (second.code, "Nothing to revert" in second.text) == (DONE, True)
    assert [site.running(name) for name in JOBS] == [{"one"}] * len(JOBS)


def test_revert_of_a_finished_release_starts_the_one_before_it_with_as_many_instances(site: Site) -> None:
    """It starts and promotes a canary of the old release. The number of instances that the autoscaler chose stays."""
    site.release(ONE)
    site.await_phase("settled")
    site.release(TWO)
    site.await_phase("waiting")
    site.promote()
    site.scale("worker", 2)

    result = site.deploy("revert")

    assert result.code == DONE, result.text
    assert "worker: starting release one (c0ffeeone) again" in result.text
    assert [site.running(name) for name in JOBS] == [{"one"}] * len(JOBS)
    assert site.agent.call("GET", "job/worker", namespace=site.namespace)["TaskGroups"][0]["Count"] == 2
    again = site.deploy("revert")
    assert (again.code, "Nomad knows no earlier stable version" in again.text) == (NOT_REVERTED, True)
    assert "nothing was changed" in again.text


def test_an_interrupted_command_says_that_nothing_changed(site: Site) -> None:
    site.release(ONE)
    site.await_phase("settled")
    site.release(TWO)
    site.await_phase("waiting")
    command = [sys.executable, "-m", "upschedule", "deploy", "watch"]
    with subprocess.Popen(
        command, env=site.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout
        for _ in JOBS:
            assert "waits for promotion" in watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
        _, complaint = watching.communicate(timeout=20)

    assert watching.returncode == INTERRUPTED
    assert "The deployments stay as they are" in complaint
    assert set(site.phases().values()) == {"waiting"}


def test_the_deploy_token_enters_no_task_and_reads_no_secret(site: Site) -> None:
    """The token has only the rights that these commands need, and those to start and scale jobs (least privilege)."""
    site.release(ONE, "api")
    wait_until(lambda: site.running("api") == {"one"})
    (first, *_) = site.agent.call("GET", "job/api/allocations", namespace=site.namespace)

    for path in ("var/nomad/jobs/api", f"client/fs/ls/{first['ID']}", "acl/tokens", "nodes"):
        assert site.agent.status(path, namespace=site.namespace, token=site.token) == 403, path
    entered = site.nomad("alloc", "exec", "-task", "serve", first["ID"], "/bin/true")
    assert (entered.returncode, "Permission denied" in entered.stderr) == (1, True)
