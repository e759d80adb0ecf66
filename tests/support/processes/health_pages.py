"""The pages of a process without pages: health and metrics."""

import json
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from tests.support.servers import wait_until


def get(port: int, path: str) -> tuple[int, str]:
    """Status 0 where no process answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


def await_alive(port: int) -> None:
    wait_until(lambda: get(port, "/health/live")[0] == 200, timeout_seconds=60)


def await_ready(port: int) -> None:
    wait_until(lambda: get(port, "/health/ready")[0] == 200, timeout_seconds=60)


def dependencies(port: int) -> dict[str, str | None]:
    """What is wrong with each, None where nothing is."""
    body = json.loads(get(port, "/health/ready")[1])
    return {found["name"]: found.get("error") for found in body["dependencies"]}


def metric(port: int, name: str, **labels: str) -> float | None:
    """None where it is not shown."""
    for family in text_string_to_metric_families(get(port, "/metrics")[1]):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None
