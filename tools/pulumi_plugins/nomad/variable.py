"""nomad.Variable."""

from collections.abc import Mapping
from typing import Any, ClassVar

from tools.pulumi_plugins.nomad.resource import Resource, ResourceType, Work
from tools.pulumi_plugins.nomad.values import Values


class Variable(ResourceType):
    """Its id is PATH@NAMESPACE."""

    type_name = "nomad:index/variable:Variable"
    properties = frozenset({"path", "namespace", "items"})
    required = frozenset({"path", "items"})
    defaults: ClassVar[Mapping[str, Any]] = {"namespace": "default"}
    fixed = frozenset({"path", "namespace"})
    secret = frozenset({"items"})

    def create(self, work: Work, inputs: Values) -> Resource:
        return self.update(work, f"{inputs['path']}@{inputs['namespace']}", inputs, {})

    def update(self, work: Work, id_: str, inputs: Values, outputs: Values) -> Resource:
        del outputs
        body = {"Namespace": inputs["namespace"], "Path": inputs["path"], "Items": inputs["items"]}
        work.nomad.call("PUT", "var", inputs["path"], body=body, namespace=inputs["namespace"])
        return Resource(id=id_, inputs=inputs, computed={})

    def read(self, work: Work, id_: str, inputs: Values, outputs: Values) -> Resource | None:
        del inputs, outputs
        path, namespace = self._place(id_)
        found = work.nomad.find("var", path, namespace=namespace)
        if found is None:
            return None
        return Resource(id=id_, inputs={"path": path, "namespace": namespace, "items": found["Items"]}, computed={})

    def delete(self, work: Work, id_: str, outputs: Values) -> None:
        del outputs
        path, namespace = self._place(id_)
        work.nomad.delete("var", path, namespace=namespace)

    @staticmethod
    def _place(id_: str) -> tuple[str, str]:
        path, _, namespace = id_.rpartition("@")
        return (path, namespace) if path else (id_, "default")
