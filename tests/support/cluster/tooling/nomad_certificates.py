"""Certificates for a Nomad agent that speaks TLS only, made by Nomad's own command."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """The certificates of the authority, the agent, and the one client that it accepts."""

    authority: Path
    agent: Path
    agent_key: Path
    client: Path
    client_key: Path

    @property
    def configuration(self) -> str:
        """The configuration of the agent, in HCL."""
        return f"""
tls {{
  http                = true
  rpc                 = true
  ca_file             = "{self.authority}"
  cert_file           = "{self.agent}"
  key_file            = "{self.agent_key}"
  verify_https_client = true
}}
"""

    def context(self) -> ssl.SSLContext:
        """The TLS context of the client."""
        context = ssl.create_default_context(cafile=str(self.authority))
        context.load_cert_chain(self.client, self.client_key)
        return context


def make_certificates(program: Path, folder: Path) -> Certificates:
    for arguments in (["ca", "create"], ["cert", "create", "-server"], ["cert", "create", "-cli"]):
        subprocess.run([program, "tls", *arguments], cwd=folder, check=True, capture_output=True)
    return Certificates(
        authority=folder / "nomad-agent-ca.pem",
        agent=folder / "global-server-nomad.pem",
        agent_key=folder / "global-server-nomad-key.pem",
        client=folder / "global-cli-nomad.pem",
        client_key=folder / "global-cli-nomad-key.pem",
    )
