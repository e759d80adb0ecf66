"""Releases that must not go out: each goes back, says why in words, and nobody notices (R12.1, R12.3)."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.cluster import owner_url
from tests.support.cluster.whole.releases import (
    GATE_NOT_PASSED,
    Change,
    deploy,
    harmless,
    make_release,
    migrating,
    released,
    replacing,
    serving,
    tried,
    unlimited_traffic,
    version_of,
)
from tests.support.documents.generate import document
from tools.local_cluster.cluster import LocalCluster
from tools.local_cluster.errors import ClusterError

pytestmark = pytest.mark.timeout(900)

SERVE = ("src/upschedule/cli/serve.py", "    server.serve()\n")
CREATE = "        owned = await calendars.create(\n"
CALENDARS = ("src/upschedule/web/api/calendars.py", CREATE)
READY = ("src/upschedule/web/api/health.py", 'return "ready" if is_ready(dependencies) else "unavailable"')
READ = ("src/upschedule/pdf/reader.py", "return Extraction(events=tuple(events),")
DOCUMENTS = 6


@dataclass(frozen=True, kw_only=True)
class Bad:
    """`reasons` must be said. A canary that is not healthy after `healthy_seconds` is given up by Nomad."""

    change: Change
    reasons: Sequence[str]
    healthy_seconds: int = 60


CRASHES = Bad(
    change=replacing(*SERVE, '    raise SystemExit("the new library is missing")\n'),
    reasons=["task serve ended with exit code 1", "serve | the new library is missing"],
)
HANGS = Bad(
    change=replacing(*SERVE, "    __import__('threading').Event().wait()\n"),
    reasons=["check 'ready' of api is critical", "connection refused"],
)
FAILS_ITS_CHECK = Bad(
    change=replacing(*READY, 'return "unavailable"'),
    reasons=["check 'ready' of api is critical", "503 Service Unavailable"],
)
FAILS_ITS_MIGRATION = Bad(
    change=migrating(("expand_notes", "ALTER TABLE lecture_notes ADD COLUMN seen boolean;")),
    reasons=["prestart task prepare ended with exit code 4", 'relation "lecture_notes" does not exist'],
)
REMOVES_WHAT_IS_NEEDED = Bad(
    change=migrating(
        ("contract_jobs", "ALTER TABLE jobs RENAME TO former_jobs;"),
        ("expand_notes", "CREATE TABLE lecture_notes (id bigint PRIMARY KEY);"),
    ),
    reasons=[
        "prestart task prepare ended with exit code 4",
        "contract_jobs.sql removes what",
        "first release a commit that ends with the contraction",
    ],
)
# Its canary is healthy, and needs the time to become so.
ANSWERS_500 = Bad(
    change=replacing(*CALENDARS, f'        raise RuntimeError("of a test")\n{CREATE}'),
    reasons=["Not ok: golden document: POST /api/v1/calendars answers 500"],
    healthy_seconds=600,
)
READS_WRONGLY = Bad(
    change=replacing(*READ, "return Extraction(events=tuple(events[1:]),"),
    reasons=["check 'ready' of worker is critical", "the golden schedule was read, but not as it is printed"],
)


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(FAILS_ITS_MIGRATION, id="fails-its-migration"),
        pytest.param(ANSWERS_500, id="answers-500"),
        pytest.param(CRASHES, id="crashes", marks=pytest.mark.long),
        pytest.param(HANGS, id="hangs", marks=pytest.mark.long),
        pytest.param(FAILS_ITS_CHECK, id="fails-its-check", marks=pytest.mark.long),
        pytest.param(REMOVES_WHAT_IS_NEEDED, id="removes-what-is-needed", marks=pytest.mark.long),
        pytest.param(READS_WRONGLY, id="reads-wrongly", marks=pytest.mark.long),
    ],
)
def test_a_bad_release_goes_back_and_says_why_while_the_one_before_serves(
    cluster: LocalCluster, tmp_path: Path, figure: Figure, bad: Bad
) -> None:
    """No request fails, no instance of the release before stops, the schema stays (R12.1, R12.2, R12.3)."""
    documents = [document(seed, rows_max=10) for seed in range(DOCUMENTS)]
    manifest = make_release(cluster, tmp_path / "bad", bad.change)
    schema = applied(cluster)
    with unlimited_traffic(cluster, readers=4, pause_seconds=0.2) as students:
        began = time.monotonic()
        with tried(cluster, {"release": manifest, "releaseHealthySeconds": str(bad.healthy_seconds)}):
            before = {identity: serving(cluster)[identity] for identity in others(cluster, manifest)}
            uploads = students.upload(documents, at_once=2)
            promotion = deploy(cluster, "promote")
            figure("seconds from `pulumi up` until a bad release has gone back", time.monotonic() - began)
            assert is_undisturbed(cluster, before)
            uploads.result()
        assert is_undisturbed(cluster, before)

    assert promotion.code == GATE_NOT_PASSED, promotion.output
    assert [reason for reason in bad.reasons if reason not in promotion.output] == [], promotion.output
    assert "The earlier release runs on all instances." in promotion.output
    assert applied(cluster) == schema
    assert (students.seen.failures, students.seen.refused) == ([], 0), promotion.output
    assert students.seen.documents == DOCUMENTS


def test_a_second_release_is_refused_while_the_first_waits(cluster: LocalCluster, tmp_path: Path) -> None:
    """`pulumi up` says what to do, and changes nothing; the first can still be left (R12.3)."""
    first = make_release(cluster, tmp_path / "first", harmless("first"))
    second = make_release(cluster, tmp_path / "second", harmless("second"))
    with tried(cluster, {"release": first}):
        before = others(cluster, first)
        cluster.stack.configure({"release": second}, {})
        with pytest.raises(ClusterError, match=r"must wait: another is still on its way in api .* Promote or revert"):
            cluster.stack.up()
        assert version_of(second) not in released(cluster).values()
        reverted = deploy(cluster, "revert")
        assert reverted.code == 0, reverted.output
        assert set(serving(cluster)) <= before


def is_undisturbed(cluster: LocalCluster, before: Mapping[str, str]) -> bool:
    """Nothing was replaced or started again. When a release has ended, the autoscaler may end what is too many."""
    now = serving(cluster)
    return bool(now) and now.items() <= before.items()


def others(cluster: LocalCluster, manifest: str) -> set[str]:
    """Running instances of other releases."""
    return {identity for identity, version in released(cluster).items() if version != version_of(manifest)}


def applied(cluster: LocalCluster) -> list[str]:
    """Names of the migrations that the database has."""
    with psycopg.connect(owner_url(cluster)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM schema_migrations ORDER BY number")]
