"""PostgreSQL, its backups and their store use one repository with the same settings and keys (R9.1, R9.4)."""

from collections.abc import Mapping

from tests.support.cluster.program.configurations import GIVEN, problems
from tests.support.cluster.program.nomad_server import Nomad
from tests.support.cluster.program.recorded_engine import Ran
from tests.support.cluster.program.whole_program import RELEASED, up

KEYS = {
    "PGBACKREST_REPO1_S3_KEY": "backup",
    "PGBACKREST_REPO1_S3_KEY_SECRET": GIVEN["backupStoreSecretKey"],
    "PGBACKREST_REPO1_CIPHER_PASS": GIVEN["backupKey"],
}


def repository(ran: Ran[list[str]], job: str) -> Mapping[str, str]:
    lines = ran.variables(job)["repository"].splitlines()
    return dict(line.removeprefix("PGBACKREST_").split("=", 1) for line in lines)


def test_what_is_archived_is_what_backups_restore_from(released: Ran[list[str]]) -> None:
    """The archive is encrypted and in a store of its own. The repository is the only bucket that its key may use."""
    archived = repository(released, "postgres")
    store, items = released.variables("backup-store"), released.items

    assert archived == repository(released, "backup") == repository(released, "restore")
    assert (archived["REPO1_S3_ENDPOINT"], archived["REPO1_STORAGE_PORT"]) == (
        "backup-store.service.consul",
        store["port"],
    )
    assert (archived["REPO1_S3_BUCKET"], archived["REPO1_S3_REGION"]) == (store["bucket"], store["region"])
    assert archived["REPO1_CIPHER_TYPE"] == "aes-256-cbc"
    for job in ("postgres", "backup", "restore"):
        assert items[f"nomad/jobs/{job}"].items() >= KEYS.items()
        assert items[f"nomad/jobs/{job}"]["authority"] == GIVEN["storesAuthority"]
    assert items["nomad/jobs/backup-store"]["backup_secret_key"] == KEYS["PGBACKREST_REPO1_S3_KEY_SECRET"]


def test_a_store_elsewhere_takes_the_backups_and_none_runs_here(nomad: Nomad) -> None:
    """The external store is trusted by its own certificate authority."""
    elsewhere = {
        "backupStoreAddress": "s3.example.org:443",
        "backupStoreRegion": "af-south-1",
        "backupStoreCaFile": "/etc/ssl/certs/ca-certificates.crt",
    }
    ran = up({**RELEASED, **elsewhere})
    archived = repository(ran, "postgres")

    assert "backup-store" not in ran.jobs
    assert archived == repository(ran, "backup") == repository(ran, "restore")
    assert (archived["REPO1_S3_ENDPOINT"], archived["REPO1_STORAGE_PORT"]) == ("s3.example.org", "443")
    assert archived["REPO1_S3_REGION"] == "af-south-1"
    assert archived["REPO1_STORAGE_CA_FILE"] == "/etc/ssl/certs/ca-certificates.crt"


def test_another_version_of_postgresql_has_programs_and_a_folder_of_its_own(released: Ran[list[str]]) -> None:
    """The server, its archive, its backups and its restores change together."""
    later = up({**RELEASED, "postgresVersion": "17"})

    for ran, version in ((released, 15), (later, 17)):
        server = ran.variables("postgres")
        assert (server["programs"], server["data"]) == (f"/usr/lib/postgresql/{version}/bin", f"/data/{version}")
        for job in ("postgres", "backup", "restore"):
            assert repository(ran, job)["PG1_PATH"] == server["data"]
        for job in ("backup", "restore"):
            assert ran.variables(job)["postgres_programs"] == server["programs"]


def test_the_store_is_reached_by_the_name_in_its_certificate() -> None:
    """The client, pgBackRest, compares the name with the certificate, but not an IP address."""
    ran = up({**RELEASED, "serviceHost": "10.0.0.9", "backupStoreHost": "stores.example.org"})

    assert repository(ran, "postgres")["REPO1_S3_ENDPOINT"] == "stores.example.org"


def test_the_lock_outlasts_the_oldest_backup() -> None:
    """A backup is removed up to two days after it is no longer needed."""
    assert problems({**RELEASED, "backupKeepDays": "14", "backupLockDays": "16"}) == {}
    assert problems({**RELEASED, "backupKeepDays": "14"}) == {
        "backupLockDays": "must be at least 16, since a backup may be kept for that long"
    }
