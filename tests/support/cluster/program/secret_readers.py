"""Who may read which secret of the stack."""

from tests.support.cluster.program.configurations import GIVEN

APPLICATION = {"api/api/serve", "worker/worker/work", "scheduler/scheduler/schedule"}
WAITING = {"worker/worker/wait", "scheduler/scheduler/wait"}
BACKUPS = {"backup", "restore", "object-copies"}
#: Where each secret may be read, below nomad/jobs/.
READERS = {
    "postgresOwnerPassword": {"postgres", "api/api/prepare"},
    "backupKey": {"postgres", *BACKUPS},
    "backupStoreSecretKey": {"backup-store", "postgres", *BACKUPS},
    "backupStoreAdministratorSecretKey": {"backup-store"},
    "postgresApplicationPassword": {"postgres", "pgbouncer"},
    "storesAuthority": {
        "postgres",
        *BACKUPS,
        "pgbouncer",
        "postgres-exporter",
        "pgbouncer-exporter",
        "api/api/prepare",
        *APPLICATION,
        *WAITING,
    },
    "storesCertificate": {"postgres", "pgbouncer", "backup-store"},
    "storesKey": {"postgres", "pgbouncer", "backup-store"},
    "redisStatePassword": {"redis-state"},
    "redisCachePassword": {"redis-cache"},
    "objectStoreApplicationSecretKey": {"object-store"},
    "objectStoreReleaseSecretKey": {"object-store"},
    "objectStoreBackupSecretKey": {"object-store", "api/api/prepare"},
    "objectStoreApplicationKeyBefore": {"object-store"},
    "alertSmtpPassword": {"alertmanager"},
    "alertWebhookUrl": {"alertmanager"},
    "alertWatchdogUrl": {"alertmanager"},
    "edgeAuthority": {"blackbox-exporter", "synthetic"},
    "syntheticPassword": {"synthetic"},
    "logAuthority": {"log-shipper"},
    "prometheusConsulToken": {"prometheus"},
    "traefikConsulToken": {"traefik"},
    "traefikCertificate": {"traefik"},
    "traefikCertificateKey": {"traefik"},
    "feedSecret": {"api/api/serve"},
    "applicationConsulToken": APPLICATION,
}
#: Those from which what the application's processes use is derived: another starts new instances.
OF_THE_APPLICATION = {
    "postgresApplicationPassword",
    "redisStatePassword",
    "redisCachePassword",
    "objectStoreApplicationSecretKey",
    "storesAuthority",
    "feedSecret",
    "applicationConsulToken",
}
#: Every secret that there is.
ALL = {
    **GIVEN,
    "objectStoreApplicationKeyBefore": '{"accessKey":"before","secretKey":"<objectStoreApplicationKeyBefore>"}',
}
