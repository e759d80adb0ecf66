"""A drill restores everything that was archived into a scratch server, and says what is wrong with it (R9.2, R9.5)."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support.cluster.tooling.backup_site import BUCKET, BackupSite, running_site, writing
from tests.support.cluster.tooling.restoring import RestoreSite
from upschedule.operations.cluster_backup.drill import Drill
from upschedule.operations.cluster_backup.repository import bucket_address
from upschedule.operations.cluster_backup.state import States
from upschedule.stores.bucket import Bucket

pytestmark = pytest.mark.timeout(300)
RUNS = "SELECT label, outcome FROM backup_runs ORDER BY id"
DRILLS = "SELECT outcome, reason FROM restore_drills ORDER BY id"


@pytest.fixture(scope="module")
def site() -> Iterator[BackupSite]:
    with running_site() as running:
        yield running


def states_of(site: BackupSite) -> States:
    variables = site.backups.repository.variables
    return States(Bucket(bucket_address(variables)), variables["PGBACKREST_REPO1_CIPHER_PASS"])


def drill_of(site: BackupSite) -> Drill:
    return site.backups.make_drill(states_of(site))


def test_a_backup_is_followed_by_a_drill_that_is_due(site: BackupSite) -> None:
    """While others write: up to the moment at which it began. The next one follows after a week."""
    with writing(site):
        assert replace(site.backups, drill=drill_of(site)).back_up().verified
    later = replace(drill_of(site), now=lambda: datetime.now(tz=UTC) + timedelta(days=8))

    assert RestoreSite(site).rows(DRILLS) == [("passed", None)]
    assert list(site.backups.scratch.folder.iterdir()) == []
    assert (drill_of(site).is_due(7), later.is_due(7)) == (False, True)


def test_a_drill_that_fails_ends_the_command_with_its_own_code(site: BackupSite, tmp_path: Path) -> None:
    """Nomad and operators see it, and the backup that was made before it stays verified (R9.2, R9.5)."""
    file = tmp_path / "key"
    file.write_bytes(b"the key")
    states = states_of(site)
    made = states.save("damaged", [file], datetime.now(tz=UTC))
    client = site.store.backup_client()
    client.put_object(bucket_name=BUCKET, object_name=made.key, data=io.BytesIO(b"short"), length=5)
    try:
        with site.started("now", "--drill-days", "0.000001") as process:
            _, errors = process.communicate(timeout=200)
    finally:
        client.remove_object(bucket_name=BUCKET, object_name=made.key)
    newest, record = site.backups.list()[-1]

    assert process.returncode == 10, errors
    assert f"The drill failed: {made.key} does not count" in errors
    assert record
    assert record.verified
    assert RestoreSite(site).rows(RUNS)[-1] == (newest.label, "verified")


def test_a_drill_says_what_is_wrong(site: BackupSite, tmp_path: Path) -> None:
    """Here a set of saved state, of which one bit is another, and a segment of the archive that is gone."""
    file = tmp_path / "keystore"
    file.write_bytes(b"the key")
    made = states_of(site).save("servers", [file], datetime.now(tz=UTC))
    assert drill_of(site).run() == ()
    client = site.store.backup_client()
    whole = client.get_object(bucket_name=BUCKET, object_name=made.key).read()
    broken = bytes([*whole[:-1], whole[-1] ^ 1])
    client.put_object(bucket_name=BUCKET, object_name=made.key, data=io.BytesIO(broken), length=len(broken))
    damaged = drill_of(site).run()
    client.put_object(bucket_name=BUCKET, object_name=made.key, data=io.BytesIO(whole), length=len(whole))
    site.execute("INSERT INTO accounts (stored_bytes) VALUES (1)")
    segment = site.switch_segment()
    with_segment = drill_of(site).run()
    (key,) = [each for each in site.objects("archive/") if segment in each]
    client.remove_object(bucket_name=BUCKET, object_name=key)
    gap = drill_of(site).run()

    assert with_segment == ()
    assert [made.key in each for each in damaged] == [True]
    assert gap == ("the last change before the drill is missing",)
    assert [outcome for outcome, _ in RestoreSite(site).rows(DRILLS)][-4:] == ["passed", "failed", "passed", "failed"]
