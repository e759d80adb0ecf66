"""Defines the backups of PostgreSQL: archiving, the store of the repository, and the jobs (R9)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

import msgspec
import pulumi

from components.service import JOBS, Service, ServiceArgs
from config import Megabytes, Port, Text
from parts.application import ApplicationConfig, parse_manifest, release_variable
from parts.cluster import Cluster
from parts.identities import UPLOADS_BUCKET
from parts.stores import (
    AUTHORITY_FILE,
    Archive,
    ElsewhereAddress,
    Stores,
    StoresConfig,
    postgres_data,
    postgres_programs,
)
from upschedule.operations.privileges.identities import Backup
from upschedule.settings.servers import DEFAULT_REGION

#: `backupKey` encrypts the repository: keep a copy outside of the cluster, since without it no backup can
#: be decrypted.
#: Only `backupStoreAdministratorSecretKey` permits to delete what the object lock protects.
SECRETS = ("backupKey", "backupStoreSecretKey", "backupStoreAdministratorSecretKey")
Secrets = Mapping[str, pulumi.Output[str]]
Days = Annotated[int, msgspec.Meta(ge=1)]
_STANZA = "upschedule"


class BackupConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Settings of the backups, which exist if PostgreSQL runs on the cluster. Paths are those in the tasks.

    `backupStoreAddress` is HOST:PORT of an external S3 store with TLS, whose bucket has an object lock; the job
    `backup-store` then does not exist. `backupStoreHost` is the name in the certificate of the internal store, if
    `serviceHost` is an IP address: pgBackRest compares names only. `backupStoreCaFile` is the file with the authority
    of the store's certificate. `archiveStopSeconds` limits how long a store that does not answer may delay the shutdown
    of PostgreSQL, which Nomad kills after a minute. `archiveQueueMb` limits the write-ahead log that waits while the
    store does not answer: beyond it segments are discarded.
    `objectCopySeconds` is the time between two passes that copy files of documents which may still be read.
    `backupLockDays` is the time for which objects are locked. It must be at least two days longer than
    `backupKeepDays`, because the oldest backup may be kept for up to two days longer.
    """

    backup_store_address: ElsewhereAddress = ""
    backup_store_host: str = ""
    backup_store_region: Text = DEFAULT_REGION
    backup_store_bucket: Text = "repository"
    backup_store_access_key: Text = "backup"
    backup_store_ca_file: Text = AUTHORITY_FILE
    backup_store_program: Text = "/usr/bin/weed"
    backup_store_volume: Text = "backup-store"
    backup_store_port: Port = 8334
    backup_store_master_port: Port = 9334
    backup_store_memory_mb: Megabytes = 512
    backup_memory_mb: Megabytes = 1024
    backup_schedule: Text = "0 1 * * *"
    backup_keep_days: Days = 7
    backup_lock_days: Days = 9
    object_copy_seconds: Annotated[int, msgspec.Meta(ge=1)] = 10
    archive_seconds: Annotated[int, msgspec.Meta(ge=1)] = 30
    archive_stop_seconds: Annotated[int, msgspec.Meta(ge=1, le=40)] = 5
    archive_queue_mb: Megabytes = 2048


def backup_problems(settings: BackupConfig, _: Mapping[str, str]) -> dict[str, str]:
    """Checks that the object lock does not end before a backup is removed."""
    least = settings.backup_keep_days + 2
    if settings.backup_lock_days < least:
        return {"backupLockDays": f"must be at least {least}, since a backup may be kept for that long"}
    return {}


@dataclass(frozen=True, kw_only=True)
class Target:
    """The parts of the stack on which the backup jobs depend."""

    stores: Stores
    postgres: StoresConfig
    application: ApplicationConfig


def store_address(cluster: Cluster, settings: BackupConfig) -> str:
    """HOST:PORT of the repository's store."""
    host = settings.backup_store_host or cluster.host("backup-store")
    return settings.backup_store_address or f"{host}:{settings.backup_store_port}"


def archive(cluster: Cluster, settings: BackupConfig, postgres: StoresConfig, secrets: Secrets) -> Archive:
    """The settings and secrets with which PostgreSQL archives its write-ahead log."""
    return Archive(
        repository=repository_lines(cluster, settings, postgres),
        seconds=settings.archive_seconds,
        stop_seconds=settings.archive_stop_seconds,
        secrets=repository_secrets(settings, secrets),
    )


def define(cluster: Cluster, settings: BackupConfig, secrets: Secrets, target: Target) -> None:
    """Defines store and jobs; nothing if PostgreSQL is external, because its provider has to back it up."""
    if target.postgres.postgres_address:
        return
    if not settings.backup_store_address:
        define_store(cluster, settings, secrets)
    if target.application.release:
        define_jobs(cluster, settings, secrets, target)


def define_store(cluster: Cluster, settings: BackupConfig, secrets: Secrets) -> None:
    Service(
        "backup-store",
        ServiceArgs(
            namespace=cluster.namespace,
            keeps_data=True,
            variables={
                **cluster.common("backup-store"),
                "program": settings.backup_store_program,
                "bucket_program": (JOBS / "backup-store" / "bucket.py").read_text(encoding="utf-8"),
                "volume": settings.backup_store_volume,
                "port": str(settings.backup_store_port),
                "master_port": str(settings.backup_store_master_port),
                "bucket": settings.backup_store_bucket,
                "region": settings.backup_store_region,
                "lock_days": str(settings.backup_lock_days),
                "memory_mb": str(settings.backup_store_memory_mb),
            },
            secrets={
                "certificate": secrets["storesCertificate"],
                "key": secrets["storesKey"],
                "administrator_secret_key": secrets["backupStoreAdministratorSecretKey"],
                "backup_access_key": settings.backup_store_access_key,
                "backup_secret_key": secrets["backupStoreSecretKey"],
            },
        ),
    )


def define_jobs(cluster: Cluster, settings: BackupConfig, secrets: Secrets, target: Target) -> None:
    shared, data = job_variables(cluster, settings, target), data_variables(settings, target)
    Service(
        "backup",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={
                **cluster.common("backup"),
                **shared,
                **data,
                "schedule": settings.backup_schedule,
                "keep_days": str(settings.backup_keep_days),
                "hidden_days": str(settings.backup_lock_days),
            },
            secrets=job_secrets(settings, secrets, target, "object-copies"),
        ),
    )
    Service(
        "restore",
        ServiceArgs(
            namespace=cluster.namespace,
            # It runs as PostgreSQL's user, because it creates PostgreSQL's files.
            variables={**cluster.common("postgres"), **shared, **data},
            secrets=job_secrets(settings, secrets, target, "restore"),
        ),
    )
    Service(
        "object-copies",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={
                **cluster.common("object-copies"),
                **shared,
                "every_seconds": str(settings.object_copy_seconds),
            },
            secrets=job_secrets(settings, secrets, target, "object-copies"),
        ),
    )


def job_variables(cluster: Cluster, settings: BackupConfig, target: Target) -> dict[str, pulumi.Input[str]]:
    """What all jobs of the backups need."""
    manifest = parse_manifest(target.application)
    return {
        "release": release_variable(
            target.application, manifest, target.stores, user=f"{cluster.settings.user_prefix}release"
        ),
        "repository": repository_lines(cluster, settings, target.postgres),
        "objects": object_lines(target.stores),
    }


def data_variables(settings: BackupConfig, target: Target) -> dict[str, pulumi.Input[str]]:
    """What the jobs need that work on PostgreSQL's volume."""
    return {
        "volume": target.postgres.postgres_volume,
        "postgres_programs": postgres_programs(target.postgres),
        "memory_mb": str(settings.backup_memory_mb),
    }


def object_lines(stores: Stores) -> str:
    """The address of the application's object store."""
    values = {
        "ENDPOINT": stores.object_store_endpoint,
        "SECURE": json.dumps(stores.object_store_secure),
        "REGION": stores.object_store_region,
        "BUCKET": UPLOADS_BUCKET,
    }
    return "".join(f"UPSCHEDULE_OBJECTS_{name}={value}\n" for name, value in values.items())


def job_secrets(
    settings: BackupConfig, secrets: Secrets, target: Target, identity: Backup
) -> dict[str, pulumi.Input[str]]:
    """`identity` is the one in the application's object store."""
    uploads = target.stores.backup_uploads[identity]
    return {
        "UPSCHEDULE_OBJECTS_ACCESS_KEY": uploads.access_key,
        "UPSCHEDULE_OBJECTS_SECRET_KEY": uploads.secret_key,
        "authority": target.stores.authority,
        "UPSCHEDULE_POSTGRES_BACKUP_URL": target.stores.backup_url,
        **repository_secrets(settings, secrets),
    }


def repository_lines(cluster: Cluster, settings: BackupConfig, postgres: StoresConfig) -> str:
    """Returns pgBackRest's environment variables, for archiving, backups and restores."""
    host, _, port = store_address(cluster, settings).rpartition(":")
    values = {
        "STANZA": _STANZA,
        "PG1_PATH": postgres_data(postgres),
        "REPO1_TYPE": "s3",
        "REPO1_PATH": "/",
        "REPO1_S3_ENDPOINT": host,
        "REPO1_STORAGE_PORT": port,
        "REPO1_STORAGE_CA_FILE": settings.backup_store_ca_file,
        "REPO1_S3_BUCKET": settings.backup_store_bucket,
        "REPO1_S3_REGION": settings.backup_store_region,
        "REPO1_S3_URI_STYLE": "path",
        "REPO1_CIPHER_TYPE": "aes-256-cbc",
        "COMPRESS_TYPE": "zst",
        "START_FAST": "y",
        # `upschedule backup` removes old backups after a newer one has been verified.
        "EXPIRE_AUTO": "n",
        "ARCHIVE_PUSH_QUEUE_MAX": f"{settings.archive_queue_mb}MiB",
        # If the store does not answer, pgBackRest ends after about eight times this time.
        "IO_TIMEOUT": "10",
        "LOG_LEVEL_FILE": "off",
        "LOG_LEVEL_CONSOLE": "off",
        # That segments were discarded is reported as a warning.
        "LOG_LEVEL_STDERR": "warn",
    }
    return "".join(f"PGBACKREST_{name}={value}\n" for name, value in values.items())


def repository_secrets(settings: BackupConfig, secrets: Secrets) -> dict[str, pulumi.Input[str]]:
    return {
        "PGBACKREST_REPO1_S3_KEY": settings.backup_store_access_key,
        "PGBACKREST_REPO1_S3_KEY_SECRET": secrets["backupStoreSecretKey"],
        "PGBACKREST_REPO1_CIPHER_PASS": secrets["backupKey"],
    }
