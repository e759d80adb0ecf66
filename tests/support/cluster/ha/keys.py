"""Certificates, gossip keys and tokens, made by the commands of docs/production.md."""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def make_certificates(programs: Path, folder: Path, servers: list[str]) -> None:
    """Makes an authority each for Consul and Nomad, with certificates for a server and for a client."""
    run(programs / "consul", "tls", "ca", "create", folder=folder)
    run(programs / "consul", "tls", "cert", "create", "-server", "-dc=dc1", folder=folder)
    run(programs / "consul", "tls", "cert", "create", "-client", "-dc=dc1", folder=folder)
    addresses = [f"-additional-ipaddress={address}" for address in servers]
    run(programs / "nomad", "tls", "ca", "create", folder=folder)
    run(programs / "nomad", "tls", "cert", "create", "-server", "-region=global", *addresses, folder=folder)
    run(programs / "nomad", "tls", "cert", "create", "-client", "-region=global", folder=folder)


def gossip_keys(programs: Path) -> dict[str, str]:
    return {
        "CONSUL_GOSSIP_KEY": run(programs / "consul", "keygen").strip(),
        "NOMAD_GOSSIP_KEY": run(programs / "nomad", "operator", "gossip", "keyring", "generate").strip(),
    }


def made_by(program: Path, *arguments: str, environment: Mapping[str, str]) -> Any:
    """What a command tells as JSON."""
    return json.loads(run(program, *arguments, environment=environment))


def run(
    program: Path, *arguments: str, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> str:
    """Its output. Fails the test, with the command's words, when it fails."""
    answer = subprocess.run(
        [program, *arguments],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert answer.returncode == 0, f"{program.name} {' '.join(arguments)}: {answer.stderr}"
    return answer.stdout
