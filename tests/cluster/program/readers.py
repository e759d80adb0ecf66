"""Who may read which secret of the stack."""

from tests.cluster.program.stacks import GIVEN, OPTIONAL_SECRETS

APPLICATION = {"api/api/serve", "worker/worker/work", "scheduler/scheduler/schedule"}
WAITING = {"worker/worker/wait", "scheduler/scheduler/wait"}
#: Where each secret may be read, below nomad/jobs/.
READERS = {
    "postgresOwnerPassword": {"postgres", "api/api/prepare"},
    "postgresApplicationPassword": {"postgres", "pgbouncer", *APPLICATION, *WAITING},
    "storesAuthority": {"pgbouncer", "api/api/prepare", *APPLICATION, *WAITING},
    "storesCertificate": {"postgres", "pgbouncer"},
    "storesKey": {"postgres", "pgbouncer"},
    "redisStatePassword": {"redis-state", *APPLICATION},
    "redisCachePassword": {"redis-cache", *APPLICATION},
    "objectStoreApplicationSecretKey": {"object-store", *APPLICATION},
    "objectStoreReleaseSecretKey": {"object-store"},
    "objectStoreBackupSecretKey": {"object-store", "api/api/prepare"},
    "objectStoreApplicationKeyBefore": {"object-store"},
    "traefikConsulToken": {"traefik"},
    "traefikCertificate": {"traefik"},
    "traefikCertificateKey": {"traefik"},
    "feedSecret": APPLICATION,
    "applicationConsulToken": APPLICATION,
}
#: Every secret that there is.
ALL = {**GIVEN, **{name: f"<{name}>" for name in OPTIONAL_SECRETS}}
