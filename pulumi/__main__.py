"""The system, as one stack's configuration describes it: `pulumi up`."""

import pulumi
import pulumi_nomad as nomad

from components.access import Access, deploy_rules
from components.service import Service, ServiceArgs
from config import load

stack = load(pulumi.Config(), stack=pulumi.get_stack())
settings, secrets = stack.settings, stack.secrets

namespace = nomad.Namespace("namespace", name=settings.namespace, description="UP Schedule Generator")
everywhere = {"datacenters": settings.datacenters, "user": settings.user}

Service(
    "redis-state",
    ServiceArgs(
        namespace=namespace.name,
        variables={
            **everywhere,
            "program": settings.redis_program,
            "volume": settings.redis_state_volume,
            "memory_mb": str(settings.redis_state_memory_mb),
        },
        secrets={"password": secrets["redisStatePassword"]},
    ),
)
Service(
    "redis-cache",
    ServiceArgs(
        namespace=namespace.name,
        variables={
            **everywhere,
            "program": settings.redis_program,
            "memory_mb": str(settings.redis_cache_memory_mb),
        },
        secrets={"password": secrets["redisCachePassword"]},
    ),
)
Service(
    "traefik",
    ServiceArgs(
        namespace=namespace.name,
        variables={
            **everywhere,
            "program": settings.traefik_program,
            "public_port": str(settings.public_port),
            "consul_address": settings.consul_address,
        },
        secrets={"consul_token": secrets["traefikConsulToken"]},
    ),
)

deploy = Access("deploy", title=f"{settings.namespace}-deploy", rules=deploy_rules(settings.namespace))

pulumi.export("namespace", namespace.name)
pulumi.export("deployToken", deploy.token)
