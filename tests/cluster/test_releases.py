"""A good release while students use the service, and the backup before each release (R12.2, R12.4, R12.5)."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.cluster import owner_url
from tests.support.cluster.whole.releases import (
    deploy,
    harmless,
    has_document_share,
    make_release,
    released,
    unlimited_traffic,
    version_of,
)
from tests.support.documents.generate import document
from tests.support.servers import wait_until
from tools.local_cluster.cluster import LocalCluster

pytestmark = pytest.mark.timeout(1500)
UPLOADS = 200
#: The deadline of the whole load on a busy machine.
LOAD_SECONDS = 900.0
#: Two hundred documents from this seed on are readable. The one before has an empty page, which must be refused.
FIRST_SEED = 133


@pytest.mark.parametrize(
    ("requests", "uploads"), [(3_000, 60), pytest.param(10_000, UPLOADS, marks=pytest.mark.long, id="full")]
)
def test_a_release_and_its_revert_fail_no_request(
    cluster: LocalCluster, tmp_path: Path, figure: Figure, requests: int, uploads: int
) -> None:
    """No request and no upload fails from `pulumi up` until all instances are verified (R12.2, R12.4).

    The canary waits until most of the load has been sent, and half of the documents are uploaded during the roll-out.
    Then the release before starts again from its record, with the deploy token and under the same load (R12.5).
    """
    earlier = cluster.stack.setting("release")
    documents = [document(FIRST_SEED + number, rows_max=10) for number in range(uploads)]
    manifest = make_release(cluster, tmp_path / "next", harmless("noticed by nobody"))
    with unlimited_traffic(cluster, readers=16, pause_seconds=0.1) as students:
        began, sent = time.monotonic(), students.seen.answered
        cluster.stack.configure({"release": manifest}, {})
        cluster.stack.up()
        early = students.upload(documents[: uploads // 2], at_once=4)
        wait_until(lambda: students.seen.answered - sent >= requests, timeout_seconds=LOAD_SECONDS)
        before = students.seen.answered - sent
        late = students.upload(documents[uploads // 2 :], at_once=4)
        promotion = deploy(cluster, "promote")
        seconds, answered = time.monotonic() - began, students.seen.answered - sent
        for part in (early, late):
            part.result(LOAD_SECONDS)
        promoted = set(released(cluster).values())
        began = time.monotonic()
        reverted = deploy(cluster, "revert")
        seconds_back = time.monotonic() - began

    figure("requests during a release", answered)
    figure("of them while it was promoted and rolled out", answered - before)
    figure("documents uploaded and read right", students.seen.documents)
    figure("requests and documents that failed", len(students.seen.failures))
    figure("seconds from `pulumi up` to verified", seconds)
    figure("seconds from `revert` until the release before runs everywhere", seconds_back)
    assert promotion.code == 0, promotion.output
    assert reverted.code == 0, reverted.output
    assert (students.seen.failures, students.seen.refused) == ([], 0), students.seen.summary()
    assert (students.seen.documents, answered >= requests) == (uploads, True), students.seen.summary()
    assert (promoted, set(released(cluster).values())) == ({version_of(manifest)}, {version_of(earlier)})
    cluster.stack.configure({"release": earlier}, {})
    cluster.stack.up()
    assert safeguards(cluster)[version_of(manifest)][1]


@pytest.mark.long
def test_a_good_release_gets_its_shares_of_visitors_and_documents_under_load_and_is_promoted(
    cluster: LocalCluster, tmp_path: Path, figure: Figure
) -> None:
    """No request and no upload fails while the canaries serve a part of both (issue 11, R12.2)."""
    documents = [document(FIRST_SEED + number, rows_max=10) for number in range(UPLOADS)]
    manifest = make_release(cluster, tmp_path / "shared", harmless("with shares"))
    with unlimited_traffic(cluster, readers=8, pause_seconds=0.2) as students:
        began = time.monotonic()
        cluster.stack.configure({"release": manifest}, {})
        cluster.stack.up()
        with ThreadPoolExecutor(1) as pool:
            promoting = pool.submit(deploy, cluster, "promote", "--shares", "20,50", "--share-step-seconds", "30")
            wait_until(lambda: has_document_share(cluster) or promoting.done(), timeout_seconds=300)
            uploads = students.upload(documents, at_once=2)
            promotion = promoting.result()
        figure("seconds from `pulumi up` to verified, with shares", time.monotonic() - began)
        uploads.result(LOAD_SECONDS)

    figure("requests and documents that failed or were refused, with shares", len(students.seen.failures))
    assert (students.seen.failures, students.seen.refused, promotion.code) == ([], 0, 0), (
        students.seen.summary(),
        promotion.output,
    )
    assert students.seen.documents == UPLOADS, students.seen.summary()
    read = re.search(r"ok +canary's documents beside the old release's +\S.* after (\d+) documents", promotion.output)
    assert read, promotion.output
    figure("documents that the canary read before the promotion", int(read[1]))
    assert int(read[1]) > 0
    assert "ok      canary beside the old release" in promotion.output
    assert not has_document_share(cluster)
    assert set(released(cluster).values()) == {version_of(manifest)}


def test_a_restore_point_was_made_before_each_release(cluster: LocalCluster) -> None:
    """A restore point comes from a verified backup. The first release, whose database was empty, has a dump (R12.5)."""
    found = safeguards(cluster)
    first, *later = found.values()

    assert set(released(cluster).values()) <= set(found)
    assert first[0].startswith("prepare/")
    assert [backup for _, backup in later if not backup] == []


def safeguards(cluster: LocalCluster) -> dict[str, tuple[str, str | None]]:
    """The backup before each release, and the verified backup of its restore point, in order of the releases."""
    with psycopg.connect(owner_url(cluster)) as connection:
        found = connection.execute(
            "SELECT releases.version, releases.backup, backup_runs.label FROM releases "
            "LEFT JOIN restore_points ON restore_points.name = releases.backup "
            "LEFT JOIN backup_runs ON backup_runs.label = restore_points.backup AND verified_at IS NOT NULL "
            "ORDER BY prepared_at"
        )
        return {version: (made, backup) for version, made, backup in found}
