"""What the stack `local` is told: this machine's ports and programs, and its secrets."""

from collections.abc import Mapping

from tools.local_cluster import users
from tools.local_cluster.certificates import Certificates
from tools.local_cluster.credentials import Credentials
from tools.local_cluster.plan import SERVICE_PORTS, Plan
from tools.local_cluster.tokens import consul_token
from upschedule.operations.embedded.ports import LOOPBACK

PASSWORDS = (
    "redisStatePassword",
    "redisCachePassword",
    "postgresOwnerPassword",
    "postgresApplicationPassword",
    "objectStoreApplicationSecretKey",
    "objectStoreReleaseSecretKey",
    "objectStoreBackupSecretKey",
    "feedSecret",
)
# As the tasks see them: chroot.py puts them there.
PROGRAMS = {"redisProgram": "/usr/bin/valkey-server", "traefikProgram": "/usr/bin/traefik"}


def settings(plan: Plan) -> Mapping[str, str]:
    return {
        "userPrefix": users.PREFIX,
        "consulAddress": plan.address("consul_http"),
        "nomadAddress": plan.nomad_url,
        "publicUrl": plan.public_url,
        "redisStateVolume": "redis-state",
        "postgresVolume": "postgres",
        "objectStoreVolume": "object-store",
        "prometheusVolume": "prometheus",
        "traefikVolume": "traefik",
        "serviceHost": LOOPBACK,
        # Whole cores are few here: shares instead, which promise more than there is.
        "apiCores": "0",
        "apiCpuMhz": "500",
        "workerCores": "0",
        "workerCpuMhz": "500",
        **PROGRAMS,
        **{name: str(plan.ports[name]) for name in SERVICE_PORTS},
    }


def secrets(credentials: Credentials, certificates: Certificates) -> Mapping[str, str]:
    return {
        **{name: credentials.password(name) for name in PASSWORDS},
        "traefikConsulToken": consul_token(credentials, "traefik"),
        "applicationConsulToken": consul_token(credentials, "application"),
        "storesAuthority": certificates.authority.read_text(encoding="ascii"),
        "storesCertificate": certificates.stores.certificate.read_text(encoding="ascii"),
        "storesKey": certificates.stores.key.read_text(encoding="ascii"),
        "traefikCertificate": certificates.public.certificate.read_text(encoding="ascii"),
        "traefikCertificateKey": certificates.public.key.read_text(encoding="ascii"),
    }
