"""What pages that ask at the same time take of Traefik's memory: as its job retries, and as `retry` does by itself.

    uv run python -m perf.edge_memory              # 240 requests that wait for their answer together
    uv run python -m perf.edge_memory --pages N
    uv run python -m perf.edge_memory --pages 9000 --job-only   # the other's would not fit most machines

Printed is the most that Traefik's process held, for each; what a page took is what is above an idle one's.
"""

import argparse
import asyncio
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import msgspec

from upschedule.operations.embedded import programs
from upschedule.operations.embedded.ports import LOOPBACK, free_port

ROUTES = Path(__file__).parents[1] / "jobs" / "traefik" / "routes.yml.tpl"
START_SECONDS = 30.0
ANSWER_SECONDS = 120.0
#: Times by each page: memory that was never used before costs nothing yet.
ASKED = 5
POLL_SECONDS = 0.1
BY_ITSELF = {"attempts": 10, "initialInterval": "100ms", "status": ["502"]}


def as_the_job_retries() -> dict[str, object]:
    """The options of the job's own routes."""
    (line,) = (line for line in ROUTES.read_text(encoding="utf-8").splitlines() if line.lstrip().startswith("retry:"))
    found = msgspec.yaml.decode(line, type=dict[str, dict[str, dict[str, object]]])
    return found["retry"]["retry"]


def certificate(folder: Path) -> tuple[Path, Path]:
    """For the loopback address, with its key."""
    made, key = folder / "certificate.pem", folder / "key.pem"
    options = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=perf"]
    files = ["-out", str(made), "-keyout", str(key), "-addext", f"subjectAltName=IP:{LOOPBACK}"]
    subprocess.run(
        ["openssl", "req", "-x509", *options, *files], check=True, capture_output=True, timeout=START_SECONDS
    )
    return made, key


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


@asynccontextmanager
async def running_traefik(folder: Path, retry: dict[str, object], instance: int) -> AsyncIterator[tuple[int, int]]:
    """Its process and its port."""
    port, inside = free_port(), free_port()
    made, key = certificate(folder)
    routes = {
        "http": {
            "routers": {"api": {"rule": "PathPrefix(`/`)", "service": "api", "middlewares": ["retry"], "tls": {}}},
            "middlewares": {"retry": {"retry": retry}},
            "services": {"api": {"loadBalancer": {"servers": [{"url": f"http://{LOOPBACK}:{instance}"}]}}},
        },
        "tls": {"certificates": [{"certFile": str(made), "keyFile": str(key)}]},
    }
    static = {
        "entryPoints": {
            "websecure": {"address": f"{LOOPBACK}:{port}", "asDefault": True},
            "inside": {"address": f"{LOOPBACK}:{inside}"},
        },
        "providers": {"file": {"filename": str(folder / "routes.yml")}},
        "ping": {"entryPoint": "inside"},
        "log": {"level": "ERROR"},
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
    }
    # JSON is YAML.
    (folder / "routes.yml").write_bytes(msgspec.json.encode(routes))
    (folder / "traefik.yml").write_bytes(msgspec.json.encode(static))
    process = await asyncio.create_subprocess_exec(programs.traefik(), f"--configFile={folder / 'traefik.yml'}")
    try:
        await up(f"http://{LOOPBACK}:{inside}/ping")
        yield process.pid, port
    finally:
        process.terminate()
        await process.wait()


async def up(url: str) -> None:
    """Raises TimeoutError."""
    async with httpx.AsyncClient() as client:
        for _ in range(int(START_SECONDS / POLL_SECONDS)):
            with suppress(httpx.TransportError):
                if (await client.get(url)).is_success:
                    return
            await asyncio.sleep(POLL_SECONDS)
    raise TimeoutError


def most_held_mb(process: int) -> float:
    """Its resident memory at most so far."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024


async def measure(retry: dict[str, object], pages: int) -> tuple[float, float]:
    """Megabytes of an idle Traefik and of one with the pages open."""
    server = await asyncio.start_server(Instance(pages).answer, LOOPBACK, 0, backlog=pages)
    async with server:
        with tempfile.TemporaryDirectory() as folder:
            address = server.sockets[0].getsockname()[1]
            async with running_traefik(Path(folder), retry, address) as (process, port):
                idle = most_held_mb(process)
                trust = ssl.create_default_context(cafile=Path(folder) / "certificate.pem")

                async def open_page() -> None:
                    async with httpx.AsyncClient(verify=trust, timeout=ANSWER_SECONDS) as client:
                        for _ in range(ASKED):
                            (await client.get(f"https://{LOOPBACK}:{port}/")).raise_for_status()

                await asyncio.gather(*(open_page() for _ in range(pages)))
                return idle, most_held_mb(process)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=240)
    parser.add_argument("--job-only", action="store_true")
    options = parser.parse_args()
    pages: int = options.pages
    ways = {"retry of the job": as_the_job_retries()}
    if not options.job_only:
        ways["retry by itself"] = BY_ITSELF
    taken: list[float] = []
    for name, retry in ways.items():
        idle, most = asyncio.run(measure(retry, pages))
        taken.append(most - idle)
        print(f"{name}: {most:.0f} MB at most, {idle:.0f} MB idle, {1024 * (most - idle) / pages:.0f} kB a page")
    if len(taken) > 1:
        print(f"the job's takes {taken[0] / taken[1]:.2f} of what the other takes for {pages} pages")


if __name__ == "__main__":
    main()
