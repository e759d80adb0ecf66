"""A Prometheus of a test's own, which scrapes what the test names."""

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.servers import wait_until
from upschedule.operations.embedded.ports import LOOPBACK, free_port

PROMETHEUS = "/usr/bin/prometheus"


@contextmanager
def measuring(folder: Path, targets: Path) -> Iterator[str]:
    """A Prometheus that scrapes each second."""
    port, configuration = free_port(), folder / "prometheus.yml"
    targets.write_text("[]", encoding="utf-8")
    configuration.write_text(
        f"""
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: services
    file_sd_configs:
      - {{files: ["{targets}"], refresh_interval: 1s}}
""",
        encoding="utf-8",
    )
    address = f"{LOOPBACK}:{port}"
    command = [
        PROMETHEUS,
        f"--config.file={configuration}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address={address}",
    ]
    ready = f"http://{address}/-/ready"
    with running(command, folder / "prometheus.log", lambda: httpx.get(ready).status_code == 200):
        yield f"http://{address}"


@contextmanager
def running(
    command: Sequence[str], log: Path, answers: Callable[[], bool], environment: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Without `environment` it has that of the tests."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)

    def ready() -> bool:
        assert process.poll() is None, log.read_text(errors="replace")
        try:
            return answers()
        except httpx.TransportError:
            return False

    try:
        wait_until(ready)
        yield
    finally:
        process.terminate()
        process.wait(20)
