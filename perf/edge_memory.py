"""Measures Traefik's memory for simultaneous requests: with the options of its job, and with the default `retry`.

    uv run python -m perf.edge_memory              # 240 requests that wait for their answer together
    uv run python -m perf.edge_memory --pages N
    uv run python -m perf.edge_memory --pages 9000 --job-only   # the other's would not fit most machines

Printed is the most that Traefik's process held, for each; what a page took is what is above an idle one's.
"""

import argparse
import asyncio
import os
import ssl
from pathlib import Path

import httpx
import msgspec

from tests.support.cluster.tooling.authority import Certificate, self_signed
from tests.support.servers import scratch_directory, started
from upschedule.operations.embedded import executables
from upschedule.operations.embedded.health import UNHEALTHY, expect_ok
from upschedule.operations.embedded.ports import LOOPBACK, free_port
from upschedule.operations.embedded.server import Command, Server

ROUTES = Path(__file__).parents[1] / "jobs" / "traefik" / "routes.yml.tpl"
ANSWER_SECONDS = 120.0
#: Times by each page: memory that was never used before costs nothing yet.
ASKED = 5


def as_the_job_retries() -> dict[str, object]:
    """The options of the job's own routes."""
    (line,) = (line for line in ROUTES.read_text(encoding="utf-8").splitlines() if line.lstrip().startswith("retry:"))
    found = msgspec.yaml.decode(line, type=dict[str, dict[str, dict[str, object]]])
    return found["retry"]["retry"]


class Instance:
    """Answers all once the last of them has asked."""

    def __init__(self, pages: int) -> None:
        self._together = asyncio.Barrier(pages)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await self._together.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


class Edge(Server):
    """Traefik with nothing but the options of `retry`, before what listens at the port `instance`."""

    unready = UNHEALTHY

    def __init__(self, directory: Path, given: Certificate, retry: dict[str, object], instance: int) -> None:
        self._program = executables.traefik()
        super().__init__("Traefik", directory, programs=[self._program])
        self.port, self._inside = free_port(), free_port()
        self._given, self._retry, self._instance = given, retry, instance

    def prepare(self) -> None:
        routes = {
            "http": {
                "routers": {"api": {"rule": "PathPrefix(`/`)", "service": "api", "middlewares": ["retry"], "tls": {}}},
                "middlewares": {"retry": {"retry": self._retry}},
                "services": {"api": {"loadBalancer": {"servers": [{"url": f"http://{LOOPBACK}:{self._instance}"}]}}},
            },
            "tls": {"certificates": [{"certFile": str(self._given.certificate), "keyFile": str(self._given.key)}]},
        }
        static = {
            "entryPoints": {
                "websecure": {"address": f"{LOOPBACK}:{self.port}", "asDefault": True},
                "inside": {"address": f"{LOOPBACK}:{self._inside}"},
            },
            "providers": {"file": {"filename": str(self.directory / "routes.yml")}},
            "ping": {"entryPoint": "inside"},
            "log": {"level": "ERROR"},
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        }
        # JSON is YAML.
        (self.directory / "routes.yml").write_bytes(msgspec.json.encode(routes))
        (self.directory / "traefik.yml").write_bytes(msgspec.json.encode(static))

    def command(self) -> Command:
        limit = {name: os.environ[name] for name in ("GOMEMLIMIT",) if name in os.environ}
        return Command(argv=[str(self._program), f"--configFile={self.directory / 'traefik.yml'}"], environment=limit)

    def probe(self) -> None:
        expect_ok(f"http://{LOOPBACK}:{self._inside}/ping")


def most_held_mb(process: int | None) -> float:
    """Its resident memory at most so far."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


async def measure(retry: dict[str, object], pages: int) -> tuple[float, float]:
    """Megabytes of an idle Traefik and of one with the pages open."""
    listening = await asyncio.start_server(Instance(pages).answer, LOOPBACK, 0, backlog=pages)
    async with listening:
        with scratch_directory() as folder:
            given = self_signed(folder, "given", f"IP:{LOOPBACK}")
            with started(Edge(folder, given, retry, listening.sockets[0].getsockname()[1])) as edge:
                idle = most_held_mb(edge.pid)
                trust = ssl.create_default_context(cafile=given.certificate)

                async def open_page() -> None:
                    async with httpx.AsyncClient(verify=trust, timeout=ANSWER_SECONDS) as client:
                        for _ in range(ASKED):
                            (await client.get(f"https://{LOOPBACK}:{edge.port}/")).raise_for_status()

                await asyncio.gather(*(open_page() for _ in range(pages)))
                return idle, most_held_mb(edge.pid)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=240)
    parser.add_argument("--job-only", action="store_true")
    options = parser.parse_args()
    pages: int = options.pages
    job = as_the_job_retries()
    ways = {"retry of the job": job}
    if not options.job_only:
        ways["retry by itself"] = {name: value for name, value in job.items() if name != "maxRequestBodyBytes"}
    taken: list[float] = []
    for name, retry in ways.items():
        idle, most = asyncio.run(measure(retry, pages))
        taken.append(most - idle)
        print(f"{name}: {most:.0f} MB at most, {idle:.0f} MB idle, {1024 * (most - idle) / pages:.0f} kB a page")
    if len(taken) > 1:
        print(f"the job's takes {taken[0] / taken[1]:.2f} of what the other takes for {pages} pages")


if __name__ == "__main__":
    main()
