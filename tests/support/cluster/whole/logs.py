"""The logs of a whole cluster, and the requests in them that took long."""

import json
from pathlib import Path
from typing import Any

from tools.local_cluster.cluster import LocalCluster

#: A request that took longer is shown when a test fails.
SLOW_SECONDS = 3.0
SLOW_SHOWN_MAX = 40


def logs(cluster: LocalCluster) -> dict[Path, bytes]:
    """The log files of every task and of both agents, by their path in the folder of the cluster."""
    folders = ("nomad/data/alloc/*/alloc/logs/*.std*.[0-9]*", "*/*.log")
    files = [path for pattern in folders for path in cluster.plan.data.glob(pattern) if path.is_file()]
    return {path.relative_to(cluster.plan.data): path.read_bytes() for path in files}


def slow_requests(cluster: LocalCluster) -> str:
    """One line for each request that took more than `SLOW_SECONDS`, with where its time went; the slowest come last."""
    written = (line for path, text in logs(cluster).items() if path.name.startswith("serve.") for line in _lines(text))
    slow = [line for line in written if line.get("duration_ms", 0) > SLOW_SECONDS * 1000]
    slow.sort(key=lambda line: line["duration_ms"])
    return "\n".join(json.dumps(line) for line in slow[-SLOW_SHOWN_MAX:])


def _lines(text: bytes) -> list[dict[str, Any]]:
    """What is a JSON object with the event of a request; a line that is still being written is not."""
    lines: list[dict[str, Any]] = []
    for line in text.splitlines():
        if b'"request"' not in line:
            continue
        try:
            found = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(found, dict) and found.get("event") == "request":
            lines.append(found)
    return lines
