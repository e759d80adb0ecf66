"""The system, as one stack's configuration describes it: `pulumi up`."""

import pulumi
import pulumi_nomad as nomad

from components.access import Access, deploy_rules
from config import load
from parts import application, cluster, edge, monitoring, stores

PARTS = (stores, edge, monitoring, application)

stack = load(
    pulumi.Config(),
    [cluster.Settings, *(part.Settings for part in PARTS)],
    [name for part in PARTS for name in part.SECRETS],
    optional_secrets=(*stores.OPTIONAL_SECRETS, *edge.OPTIONAL_SECRETS),
    checks={edge.Settings: edge.check, application.Settings: application.check},
    stack=pulumi.get_stack(),
)
shared = stack.of(cluster.Settings)
application.await_turn(stack.of(application.Settings), shared.namespace)
namespace = nomad.Namespace("namespace", name=shared.namespace, description="UP Schedule Generator")
where = cluster.Cluster(namespace=namespace.name, settings=shared)
addresses = stores.define(where, stack.of(stores.Settings), stack.secrets)
edge.define(where, stack.of(edge.Settings), stack.secrets)
monitoring.define(where, stack.of(monitoring.Settings))
application.define(where, stack.of(application.Settings), stack.secrets, addresses)

deploy = Access("deploy", title=f"{shared.namespace}-deploy", rules=deploy_rules(shared.namespace))

pulumi.export("namespace", namespace.name)
pulumi.export("deployToken", deploy.token)
