"""Defines the outputs of the stack: `pulumi stack output`."""

from collections.abc import Mapping
from typing import Any

from config import Configuration
from parts import alerting, application, backup, cluster, monitoring, stores


def describe(stack: Configuration) -> Mapping[str, Any]:
    """URL, release (empty: none yet), addresses, versions, and where to look; nothing of it is secret."""
    shared = cluster.Cluster(namespace="", settings=stack.of(cluster.ClusterConfig))
    served = stack.of(application.ApplicationConfig)
    watched = stack.of(monitoring.MonitoringConfig)
    manifest = application.parse_manifest(served) if served.release else None
    prometheus = monitoring.address(shared, watched)
    alertmanager = alerting.address(shared, stack.of(alerting.AlertingConfig))
    return {
        "url": served.public_url,
        "release": manifest.version if manifest else "",
        "addresses": {
            **stores.store_addresses(shared, stack.of(stores.StoresConfig)),
            "backup-store": backup.store_address(shared, stack.of(backup.BackupConfig)),
            "prometheus": prometheus,
            "alertmanager": alertmanager,
        },
        "versions": {
            "commit": manifest.commit,
            "environment": manifest.environment.name,
            "sources": manifest.sources.name,
        }
        if manifest
        else {},
        "dashboards": {
            "prometheus": f"http://{prometheus}/graph",
            "alertmanager": f"http://{alertmanager}/",
            "consul": f"http://{served.consul_address}/ui/",
            "nomad": watched.nomad_address,
        },
    }
