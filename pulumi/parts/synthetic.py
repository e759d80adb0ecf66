"""The synthetic student, which uses the service as a student does and compares every field."""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated

import msgspec
import pulumi

from components.service import Service, ServiceArgs
from parts.application import ApplicationConfig, parse_manifest, release_variable
from parts.cluster import Cluster
from parts.stores import Stores

SECRETS = ()
#: Of the account that the program signs up.
OPTIONAL_SECRETS = ("syntheticPassword",)


class SyntheticConfig(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Settings of the synthetic student. Without `syntheticMail` there is none."""

    synthetic_mail: str = ""
    synthetic_every_seconds: Annotated[int, msgspec.Meta(ge=10)] = 300
    synthetic_document_seconds: Annotated[int, msgspec.Meta(ge=1)] = 60


def synthetic_problems(settings: SyntheticConfig, secrets: Collection[str]) -> dict[str, str]:
    """Checks that the account has both an address and a password, or neither."""
    (password,) = OPTIONAL_SECRETS
    if settings.synthetic_mail and password not in secrets:
        return {password: "is missing; set it with --secret, or remove syntheticMail"}
    if password in secrets and not settings.synthetic_mail:
        return {"syntheticMail": f"is missing; set it, or remove {password}"}
    return {}


def exists(settings: SyntheticConfig, application: ApplicationConfig) -> bool:
    """Whether the stack has the program: it has an account for it, and a release to which it belongs."""
    return bool(application.release and settings.synthetic_mail)


def define(
    cluster: Cluster,
    settings: SyntheticConfig,
    secrets: Mapping[str, pulumi.Output[str]],
    *,
    application: ApplicationConfig,
    stores: Stores,
    after: Sequence[pulumi.Resource],
) -> None:
    """Defines the program, registered `after` the jobs of its release; it needs nothing of the cluster but the edge."""
    if not exists(settings, application):
        return
    Service(
        "synthetic",
        ServiceArgs(
            namespace=cluster.namespace,
            variables={
                **cluster.common("synthetic"),
                "release": release_variable(
                    application, parse_manifest(application), stores, user=f"{cluster.settings.user_prefix}release"
                ),
                "url": application.public_url,
                "every_seconds": str(settings.synthetic_every_seconds),
                "document_seconds": str(settings.synthetic_document_seconds),
            },
            secrets={
                "mail": settings.synthetic_mail,
                "password": secrets["syntheticPassword"],
                "authority": secrets.get("edgeAuthority", pulumi.Output.secret("")),
            },
            after=after,
        ),
    )
