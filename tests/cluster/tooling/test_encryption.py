"""The Pulumi plugin connects to a Nomad that accepts only TLS with a client certificate."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.tooling.conftest import stack_in
from tests.support.cluster.tooling.nomad_agent import Agent, running_agent
from tests.support.cluster.tooling.nomad_certificates import Certificates, make_certificates

SOURCE = """
provider = nomad.Provider("provider", {options})
nomad.Namespace("namespace", name="encrypted", opts=pulumi.ResourceOptions(provider=provider))
"""


@pytest.fixture
def certificates(programs: Path, tmp_path: Path) -> Certificates:
    folder = tmp_path / "certificates"
    folder.mkdir()
    return make_certificates(programs / "nomad", folder)


@pytest.fixture
def encrypted(programs: Path, certificates: Certificates) -> Iterator[Agent]:
    with running_agent(programs / "nomad", certificates=certificates) as running:
        yield running


def test_both_ends_prove_who_they_are(
    encrypted: Agent, certificates: Certificates, programs: Path, tmp_path: Path
) -> None:
    """Without the authority the plugin does not trust Nomad. Without a certificate Nomad does not answer."""
    trusting = f"ca_file={str(certificates.authority)!r}"
    proven = f"{trusting}, cert_file={str(certificates.client)!r}, key_file={str(certificates.client_key)!r}"
    with stack_in(tmp_path, programs, encrypted) as stack:
        for options in ("", trusting):
            stack.program(SOURCE.format(options=options))
            refused = stack.up()
            assert refused.code != 0
            assert f"Nomad at {encrypted.address} cannot be asked" in refused.output

        stack.program(SOURCE.format(options=proven))
        stack.up().expect_success()
        assert encrypted.status("namespace/encrypted") == 200
