"""Creates Consul's policies from `consul/policies/`, and a token for each of them."""

from tools.local_cluster.api import Api, ApiError
from tools.local_cluster.credentials import Credentials
from tools.local_cluster.plan import ROOT

POLICIES = ROOT / "consul" / "policies"
FORBIDDEN = 403


def policy_names() -> list[str]:
    return sorted(file.stem for file in POLICIES.glob("*.hcl"))


def provide_policies(consul: Api) -> None:
    """Creates or updates each policy. Raises ApiError."""
    known = {policy["Name"]: policy["ID"] for policy in consul.call("GET", "acl/policies")}
    for name in policy_names():
        rules = (POLICIES / f"{name}.hcl").read_text(encoding="utf-8")
        title = f"upschedule-{name}"
        path = f"acl/policy/{known[title]}" if title in known else "acl/policy"
        consul.call("PUT", path, {"Name": title, "Rules": rules})


def provide_tokens(consul: Api, credentials: Credentials, *, node: str) -> None:
    """Creates a token for each policy and one for the agent, with secrets from `credentials`. Raises ApiError."""
    identity = {"NodeName": node, "Datacenter": "dc1"}
    provide(consul, consul_token(credentials, "agent"), {"Description": "agent", "NodeIdentities": [identity]})
    for name in policy_names():
        body = {"Description": name, "Policies": [{"Name": f"upschedule-{name}"}]}
        provide(consul, consul_token(credentials, name), body)


def provide(consul: Api, secret: str, body: dict[str, object]) -> None:
    try:
        Api(url=consul.url, header=consul.header, token=secret).call("GET", "acl/token/self")
    except ApiError as refusal:
        if refusal.status != FORBIDDEN:
            raise
        consul.call("PUT", "acl/token", {**body, "SecretID": secret})


def consul_token(credentials: Credentials, name: str) -> str:
    """The secret of a token; `name` is `management`, `agent` or the name of a policy."""
    return credentials.token(consul_title(name))


def consul_title(name: str) -> str:
    """The name of the credential."""
    return f"consul-{name}"
