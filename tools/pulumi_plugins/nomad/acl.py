"""nomad.AclPolicy and nomad.AclToken."""

from typing import Any

from tools.pulumi_plugins.nomad.resource import Resource, ResourceType, Work, managed
from tools.pulumi_plugins.nomad.values import Values

# Property of AclPolicy's jobAcl, and its name in Nomad.
WORKLOAD = {"namespace": "Namespace", "jobId": "JobID", "group": "Group", "task": "Task"}


class AclPolicy(ResourceType):
    type_name = "nomad:index/aclPolicy:AclPolicy"
    properties = frozenset({"name", "description", "rulesHcl", "jobAcl"})
    required = frozenset({"name", "rulesHcl"})
    fixed = frozenset({"name"})

    def create(self, work: Work, inputs: Values) -> Resource:
        return self.update(work, inputs["name"], inputs, {})

    def update(self, work: Work, id_: str, inputs: Values, outputs: Values) -> Resource:
        del outputs
        body: dict[str, Any] = {
            "Name": id_,
            "Description": inputs.get("description", ""),
            "Rules": inputs["rulesHcl"],
        }
        if workload := inputs.get("jobAcl"):
            body["JobACL"] = {key: workload.get(name, "") for name, key in WORKLOAD.items()}
        work.nomad.call("POST", "acl", "policy", id_, body=body)
        return Resource(id=id_, inputs=inputs, computed={})

    def read(self, work: Work, id_: str, inputs: Values, outputs: Values) -> Resource | None:
        del outputs
        found = work.nomad.find("acl", "policy", id_)
        if found is None:
            return None
        workload = found.get("JobACL") or {}
        live = {
            "name": found["Name"],
            "description": found["Description"],
            "rulesHcl": found["Rules"],
            "jobAcl": {name: workload[key] for name, key in WORKLOAD.items() if workload.get(key)},
        }
        return Resource(id=id_, inputs=managed(live, inputs), computed={})

    def delete(self, work: Work, id_: str, outputs: Values) -> None:
        del outputs
        work.nomad.delete("acl", "policy", id_)


class AclToken(ResourceType):
    """Its secret is an output, and is wrapped in every message."""

    type_name = "nomad:index/aclToken:AclToken"
    properties = frozenset({"name", "type", "policies", "roles", "global", "expirationTtl"})
    required = frozenset({"type"})
    fixed = frozenset({"type", "global", "expirationTtl"})
    secret = frozenset({"secretId"})
    computed = frozenset({"accessorId", "secretId", "createTime", "expirationTime"})
    stable = computed

    def create(self, work: Work, inputs: Values) -> Resource:
        made = work.nomad.call("POST", "acl", "token", body=self._body(inputs))
        return Resource(id=made["AccessorID"], inputs=inputs, computed=self._computed(made))

    def update(self, work: Work, id_: str, inputs: Values, outputs: Values) -> Resource:
        del outputs
        body = {**self._body(inputs), "AccessorID": id_}
        made = work.nomad.call("POST", "acl", "token", id_, body=body)
        return Resource(id=id_, inputs=inputs, computed=self._computed(made))

    def read(self, work: Work, id_: str, inputs: Values, outputs: Values) -> Resource | None:
        del outputs
        found = work.nomad.find("acl", "token", id_)
        if found is None:
            return None
        live = {
            "name": found["Name"],
            "type": found["Type"],
            "policies": found.get("Policies") or [],
            "roles": [{"id": role["ID"]} for role in found.get("Roles") or []],
            "global": found["Global"],
        }
        if "expirationTtl" in inputs:  # Nomad keeps only the moment that follows from it.
            live["expirationTtl"] = inputs["expirationTtl"]
        return Resource(id=id_, inputs=managed(live, inputs), computed=self._computed(found))

    def delete(self, work: Work, id_: str, outputs: Values) -> None:
        del outputs
        work.nomad.delete("acl", "token", id_)

    @staticmethod
    def _body(inputs: Values) -> Values:
        body = {
            "Name": inputs.get("name", ""),
            "Type": inputs["type"],
            "Policies": inputs.get("policies"),
            "Roles": [{"ID": role["id"]} for role in inputs.get("roles") or []],
            "Global": inputs.get("global", False),
        }
        return body | ({"ExpirationTTL": inputs["expirationTtl"]} if inputs.get("expirationTtl") else {})

    @staticmethod
    def _computed(token: Values) -> Values:
        return {
            "accessorId": token["AccessorID"],
            "secretId": token["SecretID"],
            "createTime": token["CreateTime"],
            "expirationTime": token.get("ExpirationTime") or "",
        }
