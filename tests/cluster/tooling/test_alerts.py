"""Alerts reach their receivers: a real Prometheus, Alertmanager, mail server and webhook receiver."""

import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from parts.alert_routing import Intervals, Receivers, configuration
from tests.cluster.conftest import Figure
from tests.support.cluster.tooling.alerting_site import (
    ALERTMANAGER,
    ALERTS_PATH,
    PAGES,
    RUNBOOKS,
    TICKETS,
    WATCHDOG_PATH,
    AlertingSite,
    running_alerting,
)
from tests.support.cluster.tooling.prometheus_server import running
from tests.support.mailbox import PASSWORD
from tests.support.paths import ROOT
from tests.support.servers import scratch_directory, wait_until
from tools.local_cluster.chroot import make_chroot
from tools.local_cluster.users import UIDS
from upschedule.operations.embedded.ports import LOOPBACK, free_port

#: The limit of R6.4 and docs/slo.md, from the cause to the message.
ARRIVES_SECONDS = 60.0
QUEUE = 'upschedule_queue_age_seconds{service="scheduler", state="due"} '
STUDENT = 'upschedule_synthetic_success{service="synthetic", document="exams"} '
STORE = 'upschedule_dependency_up{service="api", dependency="redis-cache"} '
SETTINGS_AGE = 'upschedule_settings_age_seconds{service="api"} '
#: The alerts that the tests of this module cause.
AWAITED = {"QueueWaitsLong", "StoreUnreachable", "SettingsNotWatched", "SyntheticStudentFails"}
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@pytest.fixture(scope="module")
def site() -> Iterator[AlertingSite]:
    with scratch_directory() as folder, running_alerting(folder) as alerting:
        yield alerting


@pytest.fixture(autouse=True)
def nothing_measured(site: AlertingSite) -> None:
    """Waits until the alerts of the test before are resolved."""
    site.metrics.show("")
    wait_until(lambda: not AWAITED & site.alerts().keys())


@pytest.mark.timeout(240)
def test_a_page_and_a_ticket_arrive_within_a_minute_each_at_its_own_address(site: AlertingSite, figure: Figure) -> None:
    """The mail has the sentence, the runbook and the owner (R6.4), and a ticket goes to another address than a page.

    All alerts are caused at once, since each takes most of a minute.
    """
    began = time.monotonic()
    site.metrics.show(f"{QUEUE}100\n{SETTINGS_AGE}400\n{STUDENT}0\n")
    wait_until(lambda: mails(site, PAGES, "[firing page] SyntheticStudentFails"), timeout_seconds=ARRIVES_SECONDS)
    figure("seconds from a run of the synthetic student that failed to the mail", time.monotonic() - began)
    wait_until(lambda: mails(site, PAGES, "[firing page] QueueWaitsLong"), timeout_seconds=ARRIVES_SECONDS)
    figure("seconds from a queue that waits too long to the mail", time.monotonic() - began)
    wait_until(lambda: site.hooks.statuses(ALERTS_PATH, "QueueWaitsLong"))
    (text,) = mails(site, PAGES, "[firing page] QueueWaitsLong")

    assert "The oldest document has waited for 1m 40s to be read." in text
    assert f"Runbook: {RUNBOOKS}/QueueWaitsLong.md" in text
    assert "Owner: application" in text
    assert "runbooks =" not in text
    assert mails(site, TICKETS, "QueueWaitsLong") == []

    wait_until(
        lambda: mails(site, TICKETS, "[firing ticket] SettingsNotWatched"),
        timeout_seconds=max(0.1, ARRIVES_SECONDS - (time.monotonic() - began)),
    )
    figure("seconds from settings that are not watched to the mail", time.monotonic() - began)
    assert mails(site, PAGES, "SettingsNotWatched") == []

    site.metrics.show(f"{QUEUE}1\n{SETTINGS_AGE}400\n")
    wait_until(lambda: mails(site, PAGES, "[resolved page] QueueWaitsLong"), timeout_seconds=ARRIVES_SECONDS)
    wait_until(lambda: site.hooks.statuses(ALERTS_PATH, "QueueWaitsLong") == ["firing", "resolved"])


@pytest.mark.timeout(240)
def test_a_dead_store_silences_its_symptoms(site: AlertingSite) -> None:
    """One message names the store, and alerts that follow from its failure are inhibited."""
    site.mailbox.arrived.clear()
    site.metrics.show(f"{STORE}0\n")
    wait_until(lambda: mails(site, PAGES, "[firing page] StoreUnreachable"), timeout_seconds=ARRIVES_SECONDS)
    site.metrics.show(f"{STORE}0\n{QUEUE}100\n")
    wait_until(lambda: "QueueWaitsLong" in site.alerts(), timeout_seconds=ARRIVES_SECONDS)

    held = site.alerts()
    assert held["QueueWaitsLong"]["status"]["inhibitedBy"] == [held["StoreUnreachable"]["fingerprint"]]
    assert mails(site, PAGES, "QueueWaitsLong") == []


def test_the_watchdog_is_heard_again_and_again_and_by_the_outside_alone(site: AlertingSite) -> None:
    """The external service alerts when the messages of the watchdog end."""

    def messages() -> int:
        return len(site.hooks.statuses(WATCHDOG_PATH, "Watchdog"))

    wait_until(lambda: messages() >= 1, timeout_seconds=60)
    before = messages()
    wait_until(lambda: messages() >= before + 2, timeout_seconds=60)

    assert site.hooks.names(WATCHDOG_PATH) == {"Watchdog"}
    assert "Watchdog" not in site.hooks.names(ALERTS_PATH)
    assert not any("Watchdog" in str(mail["Subject"]) for _, _, mail in site.mailbox.arrived)


def test_alertmanager_shows_no_password(site: AlertingSite) -> None:
    """Alertmanager's page shows the rest of its configuration to all users of the internal network (R8.2)."""
    status = httpx.get(f"{site.alertmanager}/api/v2/status", timeout=20).raise_for_status().text

    assert "smtp_auth_password" in status
    assert PASSWORD not in status


def test_every_diagnosis_is_a_query_that_prometheus_understands(site: AlertingSite) -> None:
    """The commands are executed as the runbook contains them."""
    environment = {**os.environ, "UPSCHEDULE_DEPLOY_PROMETHEUS": site.prometheus}
    pages = sorted((ROOT / "docs" / "runbooks" / "alerts").glob("*.md"))
    wrong = {
        page.stem: done.stdout + done.stderr
        for page in pages
        if (done := typed("".join(BLOCK.findall(page.read_text(encoding="utf-8"))), environment)).returncode != 0
    }

    assert pages
    assert wrong == {}


def test_prometheus_evaluates_every_rule(site: AlertingSite) -> None:
    """No rule fails on the metrics that exist."""
    groups = httpx.get(f"{site.prometheus}/api/v1/rules", timeout=20).raise_for_status().json()["data"]["groups"]

    assert [rule["name"] for group in groups for rule in group["rules"] if rule["health"] == "err"] == []
    assert {rule["name"] for group in groups for rule in group["rules"]} >= {"Watchdog", "slo:missed:ratio3d"}


def mails(site: AlertingSite, to: str, words: str) -> list[str]:
    """Mails to this address whose subject contains the words."""
    return [text for text in site.mailbox.texts(to) if words in text.partition("\n")[0]]


def typed(commands: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs commands in a shell that exits at the first failure."""
    command = ["bash", "-euo", "pipefail", "-c", commands]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_alertmanager_starts_with_the_files_that_a_task_sees(programs: Path) -> None:
    """Debian's program reads templates beside its configuration and exits if they are missing."""
    with scratch_directory() as folder:
        make_chroot(folder / "root", programs)
        data = folder / "root" / "data"
        data.mkdir()
        (data / "alertmanager.yml").write_text(configuration(Receivers(), Intervals()), encoding="utf-8")
        identity = UIDS["alertmanager"]
        os.chown(data, identity, identity)
        address = f"{LOOPBACK}:{free_port()}"
        command = [
            "/usr/sbin/chroot",
            f"--userspec={identity}:{identity}",
            str(folder / "root"),
            ALERTMANAGER,
            "--config.file=/data/alertmanager.yml",
            "--storage.path=/data",
            f"--web.listen-address={address}",
            "--cluster.listen-address=",
        ]
        ready = f"http://{address}/-/ready"
        with running(command, folder / "alertmanager.log", lambda: httpx.get(ready).status_code == 200):
            assert httpx.get(f"http://{address}/api/v2/status", timeout=20).status_code == 200
