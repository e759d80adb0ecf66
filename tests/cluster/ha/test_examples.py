"""The agents' own commands accept the examples for production."""

from pathlib import Path
from string import Template

import pytest

from tests.support.cluster.ha.keys import gossip_keys, run
from tests.support.paths import ROOT

NODE = {
    "NODE_NAME": "node-1",
    "NODE_ADDRESS": "10.0.0.11",
    "NETWORK_INTERFACE": "eth0",
    "SERVER_1": "10.0.0.11",
    "SERVER_2": "10.0.0.12",
    "SERVER_3": "10.0.0.13",
    "CONSUL_TOKEN": "00000000-0000-0000-0000-000000000000",
}


@pytest.mark.parametrize(
    ("role", "names"),
    [("server", ["server.hcl"]), ("client", ["client.hcl"]), ("client", ["client.hcl", "volumes.hcl"])],
)
def test_nomad_accepts_the_example(role: str, names: list[str], programs: Path, tmp_path: Path) -> None:
    """The files are the shared one, that of the role and that of the machine."""
    machine = filled(ROOT / "nomad" / f"machine-{role}.hcl", programs, tmp_path)
    files = [ROOT / "nomad" / name for name in ("agent.hcl", *names)]

    assert "Configuration is valid!" in run(programs / "nomad", "config", "validate", *map(str, files), str(machine))


@pytest.mark.parametrize("more", [["production-server.hcl"], []], ids=["server", "client"])
def test_consul_accepts_the_example(more: list[str], programs: Path, tmp_path: Path) -> None:
    """The files are the shared one, those of the servers and that of the machine."""
    machine = filled(ROOT / "consul" / "production-machine.hcl", programs, tmp_path)
    files = [ROOT / "consul" / name for name in ("production.hcl", *more)]

    assert "Configuration is valid!" in run(programs / "consul", "validate", *map(str, files), str(machine))


def filled(example: Path, programs: Path, folder: Path) -> Path:
    values = NODE | gossip_keys(programs)
    path = folder / example.name
    path.write_text(Template(example.read_text(encoding="utf-8")).substitute(values), encoding="utf-8")
    return path
