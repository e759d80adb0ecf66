"""A PostgreSQL of Debian that archives to an S3 store with TLS and an object lock, as the cluster has them."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import urllib3
from minio import Minio
from minio.commonconfig import GOVERNANCE
from minio.objectlockconfig import DAYS, ObjectLockConfig
from psycopg import sql

from tests.support import certificates
from tests.support.paths import ROOT
from tests.support.processes.health_pages import await_alive
from tests.support.servers import DEBIAN_POSTGRES, migrate_now, scratch_directory, started
from upschedule.operations.cluster_backup.objects.backup import ObjectBackup
from upschedule.operations.cluster_backup.objects.copies import Copies
from upschedule.operations.cluster_backup.records import Records
from upschedule.operations.cluster_backup.reference import ReferenceOptions
from upschedule.operations.cluster_backup.repository import Repository, bucket_address
from upschedule.operations.cluster_backup.run import Backups
from upschedule.operations.cluster_backup.runs import Runs
from upschedule.operations.cluster_backup.scratch import ScratchOptions
from upschedule.operations.embedded.passwords import write_private
from upschedule.operations.embedded.ports import free_port
from upschedule.operations.embedded.postgres import DATABASE, Postgres
from upschedule.operations.embedded.seaweedfs import BUCKET as UPLOADS
from upschedule.operations.embedded.seaweedfs import SeaweedFS
from upschedule.operations.embedded.server import Command
from upschedule.operations.privileges.identities import BACKUP_ROLE, BACKUPS, Backup
from upschedule.operations.privileges.objects import actions_of
from upschedule.stores.bucket import Bucket, BucketAddress

BUCKET = "repository"
LOCK_DAYS = 9
#: Of segments that wait for the archive, and of those that PostgreSQL keeps for itself.
QUEUE_BYTES_MAX = 48 * 1024 * 1024
WAL_BYTES_MAX = 80 * 1024 * 1024
ARCHIVE_PROGRAM = ROOT / "jobs" / "postgres" / "archive.py"
#: The server's user cannot run the interpreter of the tests.
DEBIAN_PYTHON = "/usr/bin/python3.11"
#: By which the archive may delay an orderly end of the server.
STOP_SECONDS = 5
ADMIN, BACKUP = ("admin", "admin-secret"), ("backup", "backup-secret")


class LockedStore(SeaweedFS):
    """Also answers with TLS; the identity `backup` may read, write and list one bucket."""

    def __init__(self, directory: Path, authority: Path) -> None:
        super().__init__(directory)
        self.authority = authority
        self.secure_port = free_port()

    def prepare(self) -> None:
        super().prepare()
        for name in ("store.pem", "store.key"):
            (self.directory / name).write_bytes((self.authority.parent / name).read_bytes())
        known = json.loads(self._config.read_bytes())
        known["identities"] += [
            {"name": name, "credentials": [{"accessKey": name, "secretKey": secret}], "actions": actions}
            for (name, secret), actions in (
                (BACKUP, [f"{action}:{BUCKET}" for action in ("Read", "Write", "List", "PutObjectRetention")]),
                (("lock", "lock-secret"), ["Admin"]),
            )
        ]
        known["identities"] += [self._identity(each, actions_of(each, UPLOADS)) for each in BACKUPS]
        write_private(self._config, json.dumps(known).encode())

    def uploads_address(self, identity: Backup) -> BucketAddress:
        """The application's object store, with the key of a job of the backups. Here it is the same server."""
        return self._address(identity, UPLOADS)

    def command(self) -> Command:
        plain = super().command()
        secure = [
            f"-s3.port.https={self.secure_port}",
            f"-s3.cert.file={self.directory / 'store.pem'}",
            f"-s3.key.file={self.directory / 'store.key'}",
        ]
        return replace(plain, argv=[*plain.argv, *secure])

    def make_bucket(self, *, locked: bool = True) -> None:
        client = self.admin_client()
        client.make_bucket(bucket_name=BUCKET, object_lock=locked)
        if locked:
            client.set_object_lock_config(
                bucket_name=BUCKET, config=ObjectLockConfig(mode=GOVERNANCE, duration=LOCK_DAYS, duration_unit=DAYS)
            )

    def backup_client(self) -> Minio:
        """With the key that the server and the backups have."""
        pool = urllib3.PoolManager(ca_certs=str(self.authority), timeout=10, retries=False)
        return Minio(
            endpoint=f"localhost:{self.secure_port}",
            access_key=BACKUP[0],
            secret_key=BACKUP[1],
            secure=True,
            http_client=pool,
        )


class ArchivingPostgres(Postgres):
    """Debian's PostgreSQL 15, with the settings of jobs/postgres.nomad.hcl that concern the archive."""

    def __init__(self, directory: Path, variables: dict[str, str]) -> None:
        super().__init__(directory, binaries=DEBIAN_POSTGRES, max_connections=30)
        self.variables = variables | {"PGBACKREST_PG1_PATH": str(self.directory / "data")}

    def prepare(self) -> None:
        super().prepare()
        copied = self.directory / ARCHIVE_PROGRAM.name
        shutil.copyfile(ARCHIVE_PROGRAM, copied)
        copied.chmod(0o644)

    def command(self) -> Command:
        plain = super().command()
        own = {f"PGBACKREST_{name}_PATH": str(self.directory / name.lower()) for name in ("LOCK", "SPOOL")}
        options = {
            "archive_mode": "on",
            "archive_command": f"{DEBIAN_PYTHON} {self.directory / ARCHIVE_PROGRAM.name} pgbackrest {STOP_SECONDS} %p",
            "archive_timeout": "30s",
            "max_wal_size": "64MB",
            "min_wal_size": "32MB",
            # A restored server answers once it may be written to.
            "hot_standby": "off",
        }
        flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return replace(plain, argv=[*plain.argv, *flags], environment=self.variables | own)

    def finish_start(self) -> None:
        super().finish_start()
        role = sql.Identifier(BACKUP_ROLE)
        for database in ("postgres", DATABASE):
            with psycopg.connect(self.superuser_dsn(database), autocommit=True) as connection:
                connection.execute(sql.SQL("GRANT pg_read_all_settings TO {}").format(role))
                connection.execute(sql.SQL(FUNCTIONS).format(role))


#: What jobs/postgres.nomad.hcl grants the backup role in the databases `postgres` and `upschedule`.
FUNCTIONS = """
    GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean), pg_create_restore_point(text),
      pg_switch_wal() TO {}
"""


@dataclass(frozen=True, kw_only=True)
class BackupSite:
    postgres: ArchivingPostgres
    store: LockedStore
    backups: Backups

    def execute(self, statement: str) -> None:
        with psycopg.connect(self.postgres.owner_dsn(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def objects(self, prefix: str = "") -> list[str]:
        """Keys in the repository."""
        found = self.store.backup_client().list_objects(bucket_name=BUCKET, prefix=prefix, recursive=True)
        return [str(each.object_name) for each in found]

    def started(self, *arguments: str, environment: Mapping[str, str] | None = None) -> "subprocess.Popen[str]":
        """A real `upschedule backup`, in a process group of its own."""
        own = {**os.environ, **self.variables("object-copies"), **(environment or {})}
        return subprocess.Popen(
            [sys.executable, "-m", "upschedule", "backup", *arguments, "--scratch", self.backups.scratch.folder],
            env=own,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def is_backing_up(self) -> bool:
        """Whether `pgbackrest backup` holds its connection, from before the first file until after the last."""
        with psycopg.connect(self.postgres.superuser_dsn()) as connection:
            query = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'pgBackRest [backup]')"
            return connection.execute(query).fetchone() == (True,)

    def variables(self, identity: Backup) -> dict[str, str]:
        """The variables of the jobs of the backups."""
        address = self.store.uploads_address(identity)
        return {
            **self.backups.repository.variables,
            "UPSCHEDULE_POSTGRES_BACKUP_URL": self.backups.reference.dsn,
            "UPSCHEDULE_OBJECTS_ENDPOINT": address.endpoint,
            "UPSCHEDULE_OBJECTS_ACCESS_KEY": address.access_key,
            "UPSCHEDULE_OBJECTS_SECRET_KEY": address.secret_key,
        }

    def switch_segment(self) -> str:
        """Ends the present segment, and returns its name."""
        with psycopg.connect(self.postgres.superuser_dsn(), autocommit=True) as connection:
            row = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
        assert row
        return row[0]

    def checkpoint(self) -> None:
        """After it PostgreSQL removes the segments that it needs no more."""
        with psycopg.connect(self.postgres.superuser_dsn(), autocommit=True) as connection:
            connection.execute("CHECKPOINT")

    def archived(self, segment: str) -> bool:
        """Whether the repository has this segment."""
        return any(f"/{segment}-" in key for key in self.objects("archive/upschedule/15-"))

    def log_bytes(self) -> int:
        """The size of the write-ahead log on the server's disk."""
        with psycopg.connect(self.postgres.superuser_dsn(), autocommit=True) as connection:
            row = connection.execute("SELECT sum(size)::bigint FROM pg_ls_waldir()").fetchone()
        assert row
        return row[0]


@contextmanager
def writing(site: BackupSite) -> Iterator[None]:
    """Two clients add rows all the time, each in a short transaction."""
    ended = threading.Event()

    def write() -> None:
        with psycopg.connect(site.postgres.owner_dsn(), autocommit=True) as connection:
            while not ended.wait(0.01):
                connection.execute("INSERT INTO accounts (stored_bytes) VALUES (1)")

    threads = [threading.Thread(target=write) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@contextmanager
def copying(site: BackupSite) -> Iterator[int]:
    """Runs a real `upschedule backup objects`, and yields the port of its metrics."""
    port = free_port()
    command = [sys.executable, "-m", "upschedule", "backup", "objects", "--every-seconds", "1", "--port", str(port)]
    with subprocess.Popen(command, env={**os.environ, **site.variables("object-copies")}) as process:
        try:
            await_alive(port)
            yield port
        finally:
            process.terminate()


def repository_variables(store: LockedStore, folder: Path) -> dict[str, str]:
    """The variables of the repository, as in the cluster's jobs."""
    words = {
        "STANZA": "upschedule",
        "REPO1_TYPE": "s3",
        "REPO1_PATH": "/",
        "REPO1_S3_BUCKET": BUCKET,
        "REPO1_S3_ENDPOINT": "localhost",
        "REPO1_STORAGE_PORT": str(store.secure_port),
        "REPO1_STORAGE_CA_FILE": str(store.authority),
        "REPO1_S3_URI_STYLE": "path",
        "REPO1_S3_REGION": "us-east-1",
        "REPO1_S3_KEY": BACKUP[0],
        "REPO1_S3_KEY_SECRET": BACKUP[1],
        "REPO1_CIPHER_TYPE": "aes-256-cbc",
        "REPO1_CIPHER_PASS": "a-key-of-the-tests",
        "COMPRESS_TYPE": "zst",
        "START_FAST": "y",
        "EXPIRE_AUTO": "n",
        "LOG_LEVEL_FILE": "off",
        "LOG_LEVEL_CONSOLE": "off",
        "LOG_LEVEL_STDERR": "error",
        "LOCK_PATH": str(folder / "lock"),
        "SPOOL_PATH": str(folder / "spool"),
        "ARCHIVE_PUSH_QUEUE_MAX": str(QUEUE_BYTES_MAX),
        "IO_TIMEOUT": "10",
    }
    return {f"PGBACKREST_{name}": value for name, value in words.items()}


@contextmanager
def running_site(*, program_seconds: float = 60, store_bytes: int | None = None) -> Iterator[BackupSite]:
    """With the schema of this release, in folders of its own. `store_bytes` is the size of the store's own disk."""
    with (
        scratch_directory() as scratch,
        small_disk(scratch / "repository", store_bytes),
        _running_site(scratch, program_seconds) as site,
    ):
        yield site


@contextmanager
def small_disk(folder: Path, size_bytes: int | None) -> Iterator[None]:
    """Mounts a file system in memory, for which root is needed."""
    if size_bytes is None:
        yield
        return
    folder.mkdir(mode=0o755)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_bytes},mode=755", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


@contextmanager
def _running_site(scratch: Path, program_seconds: float) -> Iterator[BackupSite]:
    folder = scratch / "certificates"
    for arguments in (("authority",), ("store", "DNS:localhost", "IP:127.0.0.1")):
        certificates.make(folder, *arguments).check_returncode()
    folder.chmod(0o755)
    (folder / "authority.pem").chmod(0o644)
    with started(LockedStore(scratch / "repository", folder / "authority.pem")) as store:
        store.make_bucket()
        variables = repository_variables(store, scratch)
        with started(ArchivingPostgres(scratch / "postgres", variables)) as server:
            migrate_now(server.owner_dsn())
            backups = backups_of(server, store, scratch / "restored", program_seconds=program_seconds)
            yield BackupSite(postgres=server, store=store, backups=backups)


def backups_of(server: ArchivingPostgres, store: LockedStore, folder: Path, *, program_seconds: float) -> Backups:
    repository = Bucket(bucket_address(server.variables))
    objects = ObjectBackup(
        dsn=server.backup_dsn(),
        uploads=Bucket(store.uploads_address("object-copies")),
        copies=Copies(repository, server.variables["PGBACKREST_REPO1_CIPHER_PASS"]),
    )
    return Backups(
        repository=Repository(variables=server.variables, program_seconds=program_seconds),
        records=Records(repository),
        runs=Runs(dsn=server.backup_dsn()),
        objects=objects,
        reference=ReferenceOptions(dsn=server.backup_dsn(), quiet_seconds=10, archive_seconds=30),
        scratch=ScratchOptions(
            programs=DEBIAN_POSTGRES, folder=folder, start_seconds=program_seconds, check_seconds=program_seconds
        ),
        database=DATABASE,
    )
