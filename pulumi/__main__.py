"""The Pulumi program: defines the whole system from the configuration of one stack."""

import pulumi
import pulumi_nomad as nomad

import policies
from components.access import AccessToken, deploy_rules, operator_rules
from config import load
from job_parser import parse_job
from outputs import describe
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

PARTS = (stores, edge, monitoring, exporters, alerting, logs, application, supervision, synthetic, backup)
CONFIGS = (
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

stack = load(
    pulumi.Config(),
    CONFIGS,
    [name for part in PARTS for name in part.SECRETS],
    optional_secrets=(
        *stores.OPTIONAL_SECRETS,
        *edge.OPTIONAL_SECRETS,
        *exporters.OPTIONAL_SECRETS,
        *alerting.OPTIONAL_SECRETS,
        *logs.OPTIONAL_SECRETS,
        *synthetic.OPTIONAL_SECRETS,
    ),
    forms=stores.FORMS | edge.FORMS | exporters.FORMS | alerting.FORMS | logs.FORMS,
    checks={
        edge.EdgeConfig: edge.certificate_problems,
        alerting.AlertingConfig: alerting.alerting_problems,
        logs.LogsConfig: logs.log_problems,
        application.ApplicationConfig: application.application_problems,
        synthetic.SyntheticConfig: synthetic.synthetic_problems,
        backup.BackupConfig: backup.backup_problems,
    },
    stack=pulumi.get_stack(),
)
shared = stack.of(cluster.ClusterConfig)
application.ensure_no_other_release(stack.of(application.ApplicationConfig), shared.namespace)
policies.enforce(stack.texts, parse_job)
namespace = nomad.Namespace(
    "namespace",
    name=shared.namespace,
    description="UP Schedule Generator",
    opts=pulumi.ResourceOptions(protect=True),
)
target = cluster.Cluster(namespace=namespace.name, settings=shared)
backed_up = stack.of(backup.BackupConfig)
stored = stack.of(stores.StoresConfig)
addresses = stores.define(target, stored, stack.secrets, backup.archive(target, backed_up, stored, stack.secrets))
edge.define(target, stack.of(edge.EdgeConfig), stack.secrets)
watching = stack.of(alerting.AlertingConfig)
watched = stack.of(monitoring.MonitoringConfig)
servers = stores.store_addresses(target, stored)
served = stack.of(application.ApplicationConfig)
shipped = stack.of(logs.LogsConfig)
student = stack.of(synthetic.SyntheticConfig)
present = {"logs": bool(shipped.log_receiver), "synthetic": synthetic.exists(student, served)}
monitoring.define(
    target,
    watched,
    stack.secrets,
    monitoring.Sources(
        consul_address=served.consul_address,
        edge_url=served.public_url,
        redis_servers={name: address for name, address in servers.items() if name.startswith("redis-")},
        absent={part for part, exists in present.items() if not exists},
    ),
    watching,
)
exporters.define(
    target, stack.of(exporters.ExportersConfig), stack.secrets, servers, nomad_ca_file=watched.nomad_ca_file
)
alerting.define(target, watching, stack.secrets)
logs.define(target, shipped, stack.secrets, watched)
jobs = application.define(target, served, stack.secrets, addresses)
supervision.define(
    target,
    stack.of(supervision.SupervisionConfig),
    application=served,
    monitored=watched,
    stores=addresses,
    after=jobs,
)
synthetic.define(
    target,
    student,
    stack.secrets,
    application=served,
    stores=addresses,
    after=jobs,
)
backup.define(
    target,
    backed_up,
    stack.secrets,
    backup.Target(stores=addresses, postgres=stored, application=served),
)

deploy = AccessToken(
    "deploy",
    title=f"{shared.namespace}-deploy",
    rules=deploy_rules(shared.namespace, release_volume=stack.of(application.ApplicationConfig).release_volume),
)
operator = AccessToken("operator", title=f"{shared.namespace}-operator", rules=operator_rules(shared.namespace))

pulumi.export("namespace", namespace.name)
pulumi.export("deployToken", deploy.token)
pulumi.export("operatorToken", operator.token)
for name, value in describe(stack).items():
    pulumi.export(name, value)
