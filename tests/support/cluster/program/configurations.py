"""Configurations of a stack, whole or wrong, for the program's own reader."""

from collections.abc import Collection, Mapping

import msgspec
import pulumi

from config import Configuration, ConfigurationError, load
from parts import (
    alerting,
    application,
    backup,
    cluster,
    edge,
    exporters,
    logs,
    monitoring,
    stores,
    supervision,
    synthetic,
)
from tests.support.cluster.program.recorded_engine import PROJECT, STACK, run

PARTS = (cluster, stores, edge, monitoring, exporters, alerting, logs, application, supervision, synthetic, backup)
SETTINGS: tuple[type[msgspec.Struct], ...] = (
    cluster.ClusterConfig,
    stores.StoresConfig,
    edge.EdgeConfig,
    monitoring.MonitoringConfig,
    exporters.ExportersConfig,
    alerting.AlertingConfig,
    logs.LogsConfig,
    application.ApplicationConfig,
    supervision.SupervisionConfig,
    synthetic.SyntheticConfig,
    backup.BackupConfig,
)
SECRETS = (
    *stores.SECRETS,
    *edge.SECRETS,
    *monitoring.SECRETS,
    *exporters.SECRETS,
    *alerting.SECRETS,
    *logs.SECRETS,
    *application.SECRETS,
    *supervision.SECRETS,
    *backup.SECRETS,
)
OPTIONAL_SECRETS = (
    *stores.OPTIONAL_SECRETS,
    *edge.OPTIONAL_SECRETS,
    *exporters.OPTIONAL_SECRETS,
    *alerting.OPTIONAL_SECRETS,
    *logs.OPTIONAL_SECRETS,
    *synthetic.OPTIONAL_SECRETS,
)
CHECKS = {
    edge.EdgeConfig: edge.certificate_problems,
    alerting.AlertingConfig: alerting.alerting_problems,
    logs.LogsConfig: logs.log_problems,
    application.ApplicationConfig: application.application_problems,
    synthetic.SyntheticConfig: synthetic.synthetic_problems,
    backup.BackupConfig: backup.backup_problems,
}

REQUIRED = {
    "redisProgram": "/usr/bin/valkey-server",
    "traefikProgram": "/usr/bin/traefik",
    "publicUrl": "https://schedule.example.org",
    "alertMailTo": "operations@example.org",
    "alertMailFrom": "alerts@example.org",
    "alertSmtpAddress": "mail.example.org:587",
    "alertSmtpUser": "alerts",
    "syntheticMail": "synthetic@example.org",
    "logReceiver": "logs.example.org:6514",
}
FORMS = {**stores.FORMS, **edge.FORMS, **exporters.FORMS, **alerting.FORMS, **logs.FORMS}


def pem(label: str, mark: str) -> str:
    """A document of the right form; text after the last block is allowed."""
    return f"-----BEGIN {label}-----\nMIIB\n-----END {label}-----\n{mark}"


def document(name: str) -> str:
    """What a stack could have for a secret that is a certificate or a key, with a mark of its own."""
    return pem("PRIVATE KEY" if name.endswith("Key") else "CERTIFICATE", f"<{name}>")


#: Each is found in nothing else, and some want quoting in a URL.
GIVEN = {
    **{name: document(name) if name in FORMS else f"<{name}>of/this:stack@0123456789" for name in SECRETS},
    "edgeAuthority": document("edgeAuthority"),
    "logAuthority": document("logAuthority"),
    "traefikCertificate": document("traefikCertificate"),
    "traefikCertificateKey": document("traefikCertificateKey"),
    "alertSmtpPassword": "<alertSmtpPassword>",
    "syntheticPassword": "<syntheticPassword>",
    "alertWebhookUrl": "https://hooks.example.org/<alertWebhookUrl>",
    "alertWatchdogUrl": "https://watch.example.org/<alertWatchdogUrl>",
}


def configure(settings: Mapping[str, str], secrets: Mapping[str, str], clear: Collection[str] = ()) -> pulumi.Config:
    """Sets the configuration like the engine; `clear` are secrets that were set without `--secret`."""
    named = {name if ":" in name else f"{PROJECT}:{name}": value for name, value in {**settings, **secrets}.items()}
    pulumi.runtime.set_all_config(named, [f"{PROJECT}:{name}" for name in secrets if name not in clear])
    return pulumi.Config(PROJECT)


def loaded(
    settings: Mapping[str, str] = REQUIRED, secrets: Mapping[str, str] = GIVEN, clear: Collection[str] = ()
) -> Configuration:
    """The configuration as `__main__` loads it. Raises ConfigurationError. Only in a run of the engine."""
    return load(
        configure(settings, secrets, clear),
        SETTINGS,
        SECRETS,
        optional_secrets=OPTIONAL_SECRETS,
        forms=FORMS,
        checks=CHECKS,
        stack=STACK,
    )


def problems(
    settings: Mapping[str, str] = REQUIRED, secrets: Mapping[str, str] = GIVEN, clear: Collection[str] = ()
) -> dict[str, str]:
    """What the program says of each name that it cannot use."""

    def refused() -> str:
        try:
            loaded(settings, secrets, clear)
        except ConfigurationError as error:
            return str(error)
        return ""

    lines = run(refused).result.splitlines()[1:]
    return {name.strip(): problem for name, _, problem in (line.partition(": ") for line in lines)}


def fields(kind: type[msgspec.inspect.Type] = msgspec.inspect.Type) -> dict[str, msgspec.inspect.Field]:
    """Every setting of this kind, as a stack calls it."""
    groups = [msgspec.inspect.type_info(group) for group in SETTINGS]
    known = [field for group in groups if isinstance(group, msgspec.inspect.StructType) for field in group.fields]
    return {field.encode_name: field for field in known if isinstance(field.type, kind)}
