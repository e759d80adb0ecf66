"""Creates Consul's policies from `consul/policies/`, and a token for each of them."""

import json
from typing import Any

import consul  # pyright: ignore[reportMissingTypeStubs]
from consul.callback import CB  # pyright: ignore[reportMissingTypeStubs]

from tools.local_cluster.credentials import Credentials
from tools.local_cluster.errors import ClusterError
from tools.local_cluster.plan import ROOT
from upschedule.deploy.consul import ConsulErrors

POLICIES = ROOT / "consul" / "policies"


def policy_names() -> list[str]:
    return sorted(file.stem for file in POLICIES.glob("*.hcl"))


def provide_access(client: Any, credentials: Credentials, *, node: str) -> None:
    """Creates or updates the policies, and creates missing tokens. Raises ClusterError."""
    try:
        provide_policies(client)
        provide_tokens(client, credentials, node=node)
    except ConsulErrors as error:
        raise ClusterError(f"Consul does not take its policies and tokens: {error}") from error


def provide_policies(client: Any) -> None:
    """Sends the rules as they are: `acl.policy` of py-consul takes rules as an object only, and would quote HCL."""
    known = {policy["Name"]: policy["ID"] for policy in client.acl.policy.list()}
    for name in policy_names():
        rules = (POLICIES / f"{name}.hcl").read_text(encoding="utf-8")
        title = f"upschedule-{name}"
        path = f"/v1/acl/policy/{known[title]}" if title in known else "/v1/acl/policy"
        body = json.dumps({"Name": title, "Rules": rules})
        client.http.put(CB.json(), path, headers=client.prepare_headers(), data=body)  # pyright: ignore[reportUnknownMemberType]


def provide_tokens(client: Any, credentials: Credentials, *, node: str) -> None:
    """A token for each policy and one for the agent, with secrets from `credentials`."""
    agent = consul_token(credentials, "agent")
    if not is_token(client, agent):
        client.acl.token.create(secret_id=agent, description="agent", node_identities=[f"{node}:dc1"])
    for name in policy_names():
        secret = consul_token(credentials, name)
        if not is_token(client, secret):
            client.acl.token.create(secret_id=secret, description=name, policies_name=[f"upschedule-{name}"])


def is_token(client: Any, secret: str) -> bool:
    """Whether Consul knows a token with this secret."""
    try:
        client.acl.token.read_self(token=secret)
    except consul.ACLPermissionDenied:
        return False
    return True


def consul_token(credentials: Credentials, name: str) -> str:
    """The secret of a token; `name` is `management`, `agent` or the name of a policy."""
    return credentials.token(consul_title(name))


def consul_title(name: str) -> str:
    """The name of the credential."""
    return f"consul-{name}"
