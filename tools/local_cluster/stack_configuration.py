"""The configuration of the stack `local`: ports and programs of this machine, and secrets."""

from collections.abc import Mapping

from tools.local_cluster import users
from tools.local_cluster.certificates import Certificates
from tools.local_cluster.credentials import Credentials
from tools.local_cluster.plan import SERVICE_PORTS, Plan
from tools.local_cluster.tokens import consul_title, consul_token
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
    "backupKey",
    "backupStoreSecretKey",
    "backupStoreAdministratorSecretKey",
)
# Settings of the stack by the name of the policy whose token they hold.
TOKENS = {
    "traefikConsulToken": "traefik",
    "applicationConsulToken": "application",
    "prometheusConsulToken": "monitoring",
}
# Paths as the tasks see them; chroot.py places the programs there.
PROGRAMS = {"redisProgram": "/usr/bin/valkey-server", "traefikProgram": "/usr/bin/traefik"}


#: The address of the synthetic student's account. No mail is sent to it, as the stack has no mail server.
STUDENT_MAIL = "synthetic@upschedule.example"


def settings(plan: Plan, *, student: bool) -> Mapping[str, str]:
    """`student`: the stack has a synthetic student."""
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
        "alertsUnsent": "true",
        "serviceHost": LOOPBACK,
        "backupStoreVolume": "backup-store",
        "backupStoreHost": "localhost",
        # Shares instead of whole cores, since Nomad allocates more than this machine has. Workers get small shares:
        # users wait for the API, but documents can wait in the queue.
        "apiCores": "0",
        "apiCpuMhz": "2000",
        "workerCores": "0",
        "workerCpuMhz": "200",
        **PROGRAMS,
        **({"syntheticMail": STUDENT_MAIL} if student else {}),
        **{name: str(plan.ports[name]) for name in SERVICE_PORTS},
    }


def secrets(credentials: Credentials, certificates: Certificates, *, student: bool) -> Mapping[str, str]:
    return {
        **({"syntheticPassword": student_password(credentials)} if student else {}),
        **{name: credentials.password(name) for name in PASSWORDS},
        **{name: consul_token(credentials, policy) for name, policy in TOKENS.items()},
        "storesAuthority": certificates.authority.read_text(encoding="ascii"),
        "storesCertificate": certificates.stores.certificate.read_text(encoding="ascii"),
        "storesKey": certificates.stores.key.read_text(encoding="ascii"),
        "edgeAuthority": certificates.authority.read_text(encoding="ascii"),
        "traefikCertificate": certificates.public.certificate.read_text(encoding="ascii"),
        "traefikCertificateKey": certificates.public.key.read_text(encoding="ascii"),
    }


def student_password(credentials: Credentials) -> str:
    return credentials.password("syntheticPassword")


def rotatable(values: Mapping[str, str]) -> Mapping[str, str]:
    """The values of the stack that a user may have rotated there, by the name of the credential."""
    titles = {name: name for name in PASSWORDS} | {name: consul_title(policy) for name, policy in TOKENS.items()}
    return {title: values[name] for name, title in titles.items() if name in values}
