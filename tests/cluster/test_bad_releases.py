"""Bad releases are reverted with a reason, and no visitor is affected (R12.1, R12.3)."""

import datetime as dt
import itertools
import re
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.bad_releases import (
    ANSWERS_500,
    BLOCKS,
    CRASHES,
    DELAYS_SOME,
    FAILS_ITS_CHECK,
    FAILS_ITS_MIGRATION,
    HANGS,
    LEAVES_AN_EXAM_OUT_OF_CALENDARS,
    LEAVES_OUT_AN_EXAM,
    LEAVES_OUT_AN_EXAM_OF_MANY,
    READS_WRONGLY,
    REMOVES_WHAT_IS_NEEDED,
    WORKER_DIES,
    BadRelease,
)
from tests.support.cluster.whole.cluster import owner_url
from tests.support.cluster.whole.releases import (
    GATE_NOT_PASSED,
    deploy,
    harmless,
    has_document_share,
    make_release,
    released,
    serving,
    tried,
    unlimited_traffic,
    version_of,
)
from tests.support.documents.generate import document, schedule_of
from tests.support.documents.schedules import EXAMS
from tests.support.servers import wait_until
from tools.local_cluster.cluster import LocalCluster
from tools.local_cluster.errors import ClusterError

pytestmark = pytest.mark.timeout(900)
#: The number of documents that are uploaded before the next step, two at a time.
STEP = 8
#: A finding of Nomad, the gate, the watch during the roll-out, or the verification.
FOUND = re.compile(
    r"^(\d\d):(\d\d):(\d\d) (?:\w+: .* failed: |The gate is not passed|Instances of the release restart|The roll-out of"
    r"|The final verification is not passed)",
    re.MULTILINE,
)
#: The release counts as left half a minute after its last sign of life. Then its documents are read again.
CORRECTED_SECONDS = 240.0


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(FAILS_ITS_MIGRATION, id="fails-its-migration"),
        pytest.param(ANSWERS_500, id="answers-500"),
        pytest.param(CRASHES, id="crashes", marks=pytest.mark.long),
        pytest.param(HANGS, id="hangs", marks=pytest.mark.long),
        pytest.param(FAILS_ITS_CHECK, id="fails-its-check", marks=pytest.mark.long),
        pytest.param(BLOCKS, id="blocks", marks=pytest.mark.long),
        pytest.param(REMOVES_WHAT_IS_NEEDED, id="removes-what-is-needed", marks=pytest.mark.long),
        pytest.param(READS_WRONGLY, id="reads-wrongly", marks=pytest.mark.long),
        pytest.param(WORKER_DIES, id="worker-dies", marks=pytest.mark.long),
        pytest.param(DELAYS_SOME, id="delays-some", marks=pytest.mark.long),
        pytest.param(LEAVES_OUT_AN_EXAM, id="leaves-out-an-exam", marks=pytest.mark.long),
        pytest.param(LEAVES_AN_EXAM_OUT_OF_CALENDARS, id="leaves-an-exam-out-of-calendars", marks=pytest.mark.long),
    ],
)
def test_a_bad_release_is_reverted_with_the_reason_while_the_previous_one_serves(
    cluster: LocalCluster, tmp_path: Path, figure: Figure, bad: BadRelease
) -> None:
    """No request fails, no instance of the previous release stops, and the schema stays (R12.1, R12.2, R12.3)."""
    documents = [document(seed, rows_max=10) for seed in range(bad.documents)]
    manifest = make_release(cluster, tmp_path / "bad", bad.change)
    schema = applied(cluster)
    with unlimited_traffic(cluster, readers=4, pause_seconds=0.2) as students:
        began, began_at = time.monotonic(), dt.datetime.now().astimezone()
        with tried(cluster, {"release": manifest, "releaseHealthySeconds": str(bad.healthy_seconds)}):
            before = {identity: serving(cluster)[identity] for identity in others(cluster, manifest)}
            uploads = students.upload(documents, at_once=2, within_seconds=bad.document_seconds)
            promotion = deploy(cluster, "promote", *bad.options)
            figure("seconds from `pulumi up` until a bad release has gone back", time.monotonic() - began)
            figure("seconds from `pulumi up` until a bad release is found", found_after(promotion.output, began_at))
            # A promoted release has replaced instances.
            assert promotion.code != GATE_NOT_PASSED or is_undisturbed(cluster, before, may_grow=bad.slows)
            uploads.result()
        assert promotion.code != GATE_NOT_PASSED or is_undisturbed(cluster, before, may_grow=bad.slows)
        failed = len(students.seen.failures) + students.seen.refused
        figure("requests failed or refused during a bad release", failed)

    assert promotion.code in bad.codes, promotion.output
    assert [reason for reason in bad.reasons if reason not in promotion.output] == [], promotion.output
    assert "The earlier release runs on all instances." in promotion.output
    assert applied(cluster) == schema
    assert failed <= bad.failed_max, (students.seen.failures, students.seen.refused, promotion.output)
    assert students.seen.documents == bad.documents


@pytest.mark.long
def test_a_release_that_leaves_exams_out_of_real_documents_only_is_found_by_its_share_of_them(
    cluster: LocalCluster, tmp_path: Path, figure: Figure
) -> None:
    """Documents that its canary read are read again automatically, so no timetable stays wrong (issue 11, R12.2)."""
    bad = LEAVES_OUT_AN_EXAM_OF_MANY
    documents = [schedule_of(seed, EXAMS, rows=40) for seed in range(400)]
    manifest = make_release(cluster, tmp_path / "bad", bad.change)
    with unlimited_traffic(cluster, readers=4, pause_seconds=0.2) as students:
        with tried(cluster, {"release": manifest, "releaseHealthySeconds": str(bad.healthy_seconds)}):
            with ThreadPoolExecutor(1) as pool:
                promoting = pool.submit(deploy, cluster, "promote", *bad.options)
                wait_until(lambda: has_document_share(cluster) or promoting.done(), timeout_seconds=300)
                began = time.monotonic()
                uploads: list[Future[None]] = []
                for number in itertools.count(step=STEP):
                    if promoting.done() or number >= len(documents):
                        break
                    part = documents[number : number + STEP]
                    uploads.append(students.upload(part, at_once=2, correct_within_seconds=CORRECTED_SECONDS))
                    wait_until(lambda sent=number + STEP: students.seen.delivered >= sent, timeout_seconds=120)
                promotion = promoting.result()
            figure(
                "seconds from the first share until a release that reads worse has gone back", time.monotonic() - began
            )
            for each in uploads:
                each.result(CORRECTED_SECONDS)
            figure("seconds from the first share until all timetables are right", time.monotonic() - began)
        figure("timetables that were wrong until they were read again", students.seen.corrected)
        figure("timetables in all", students.seen.documents)
        failed = len(students.seen.failures) + students.seen.refused
        figure("requests failed or refused during a bad release", failed)

    assert promotion.code == GATE_NOT_PASSED, promotion.output
    assert [reason for reason in bad.reasons if reason not in promotion.output] == [], promotion.output
    assert "The earlier release runs on all instances." in promotion.output
    assert not has_document_share(cluster)
    assert failed == 0, (students.seen.failures, students.seen.refusals, promotion.output)
    assert students.seen.documents == students.seen.delivered
    assert students.seen.corrected > 0


def test_a_second_release_is_refused_while_the_first_waits(cluster: LocalCluster, tmp_path: Path) -> None:
    """`pulumi up` says what to do and changes nothing. The first release can still be reverted (R12.3)."""
    first = make_release(cluster, tmp_path / "first", harmless("first"))
    second = make_release(cluster, tmp_path / "second", harmless("second"))
    with tried(cluster, {"release": first}):
        before = others(cluster, first)
        cluster.stack.configure({"release": second}, {})
        with pytest.raises(
            ClusterError, match=r"must wait: another release is still in progress in api .* Promote or revert"
        ):
            cluster.stack.up()
        assert version_of(second) not in released(cluster).values()
        reverted = deploy(cluster, "revert")
        assert reverted.code == 0, reverted.output
        assert set(serving(cluster)) <= before


def is_undisturbed(cluster: LocalCluster, before: Mapping[str, str], *, may_grow: bool) -> bool:
    """Whether no instance was replaced or restarted.

    After a release, the autoscaler may stop instances that are too many.
    """
    now = serving(cluster)
    if may_grow:
        now = {identity: began for identity, began in now.items() if identity in before}
    return bool(now) and now.items() <= before.items()


def found_after(output: str, began: dt.datetime) -> float:
    """Seconds until the command printed that the release is bad. Each line begins with the time."""
    found = FOUND.search(output)
    assert found, output
    at = began.replace(hour=int(found[1]), minute=int(found[2]), second=int(found[3]), microsecond=0)
    return ((at - began) % dt.timedelta(days=1)).total_seconds()


def others(cluster: LocalCluster, manifest: str) -> set[str]:
    """Running instances of other releases."""
    return {identity for identity, version in released(cluster).items() if version != version_of(manifest)}


def applied(cluster: LocalCluster) -> list[str]:
    """Names of the migrations in the database."""
    with psycopg.connect(owner_url(cluster)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM schema_migrations ORDER BY number")]
