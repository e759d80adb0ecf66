"""Where the state is: each store runs here, unless the stack names one that runs elsewhere."""

from collections.abc import Mapping

import msgspec
import pulumi

from components.service import Service, ServiceArgs
from config import Megabytes, Port, Text
from parts.cluster import Cluster

SECRETS = ("redisStatePassword", "redisCachePassword")


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Paths are those that a task sees on a node. Ports are fixed, so that an address outlives its instance."""

    redis_program: Text
    redis_state_volume: Text
    redis_state_port: Port = 6379
    redis_state_memory_mb: Megabytes = 1024
    redis_cache_port: Port = 6380
    redis_cache_memory_mb: Megabytes = 2048


def define(cluster: Cluster, settings: Settings, secrets: Mapping[str, pulumi.Output[str]]) -> None:
    """The two Redis servers (R4.3, R4.4)."""
    Service(
        "redis-state",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={
                **cluster.common("redis-state"),
                "program": settings.redis_program,
                "volume": settings.redis_state_volume,
                "port": str(settings.redis_state_port),
                "memory_mb": str(settings.redis_state_memory_mb),
            },
            secrets={"password": secrets["redisStatePassword"]},
        ),
    )
    Service(
        "redis-cache",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={
                **cluster.common("redis-cache"),
                "program": settings.redis_program,
                "port": str(settings.redis_cache_port),
                "memory_mb": str(settings.redis_cache_memory_mb),
            },
            secrets={"password": secrets["redisCachePassword"]},
        ),
    )
