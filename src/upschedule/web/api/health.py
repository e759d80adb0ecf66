"""Health endpoints and metrics: liveness, readiness, and what Prometheus scrapes (R6.1, R6.2)."""

from typing import Annotated

import msgspec
from litestar import Controller, Response, get, route
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from upschedule.services import Services
from upschedule.stores.readiness import DependencyStatus, is_ready
from upschedule.web.http.drain import Drain
from upschedule.web.http.errors import NotFound
from upschedule.web.http.guards import OUTSIDE_LIMITS, only_inside
from upschedule.web.http.openapi import READING, by_method
from upschedule.web.http.problems import problems
from upschedule.web.http.rotation import Rotation, RotationState, ShareState


class Liveness(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of a process that runs. It depends on no other server: a restart would not help against an outage."""

    status: str


class Readiness(msgspec.Struct, frozen=True, kw_only=True):
    """`ready`, `unavailable` while a needed server does not answer, or `draining` while the process stops."""

    status: str
    dependencies: list[DependencyStatus]


class InstanceReadiness(msgspec.Struct, frozen=True, kw_only=True):
    """`serving`, `starting` until every needed dependency has answered once, or `draining`."""

    status: RotationState


class ShareReadiness(msgspec.Struct, frozen=True, kw_only=True):
    """The state of the instance; `another instance` if another one is named; or `over` after the share's end."""

    status: ShareState


class HealthController(Controller):
    """No limit applies to health checks: otherwise a busy service would look dead."""

    path = "/health"
    opt = OUTSIDE_LIMITS
    tags = ("operations",)

    @route(
        "/live",
        http_method=READING,
        operation_id=by_method("GetLiveness"),
        summary="Whether the process answers",
        responses=problems(),
    )
    async def live(self) -> Liveness:
        """Answers 200 as long as the event loop runs."""
        return Liveness(status="alive")

    @get(
        "/ready",
        operation_id="GetReadiness",
        summary="Each dependency and its time",
        guards=[only_inside],
        responses={**problems(NotFound), 503: ResponseSpec(Readiness, description="Not now.", generate_examples=False)},
        description="503 while a needed dependency is away or the process is stopping. Not on the public route.",
    )
    async def ready(self, rotation: Rotation, drain: Drain) -> Response[Readiness]:
        """Answers within five seconds, even if a server does not answer (R6.1)."""
        dependencies = await rotation.dependencies()
        status = _readiness(dependencies, drain)
        readiness = Readiness(status=status, dependencies=dependencies)
        return Response(readiness, status_code=200 if status == "ready" else 503)

    @get(
        "/ready/instance",
        operation_id="GetInstanceReadiness",
        summary="Whether a load balancer should send requests to this instance",
        guards=[only_inside],
        responses={
            **problems(NotFound),
            503: ResponseSpec(InstanceReadiness, description="Not now.", generate_examples=False),
        },
        description="503 until everything needed has answered once, and while the process is stopping. A dependency "
        "that all instances share and that goes away later changes nothing here. Not on the public route.",
    )
    async def instance(self, rotation: Rotation) -> Response[InstanceReadiness]:
        """Traefik and Consul ask this.

        An outage of a shared server does not remove all instances from Traefik's routes.
        """
        status = await rotation.state()
        return Response(InstanceReadiness(status=status), status_code=200 if status == "serving" else 503)

    @get(
        "/ready/share",
        operation_id="GetShareReadiness",
        summary="Whether a canary should get its share of the visitors",
        guards=[only_inside],
        responses={
            **problems(NotFound),
            503: ResponseSpec(ShareReadiness, description="Not now.", generate_examples=False),
        },
        description="503 as for the instance; also from another instance than the named one, and when the time is up. "
        "Not on the public route.",
    )
    async def share(
        self,
        rotation: Rotation,
        instance: Annotated[str, Parameter(description="The allocation that the share is meant for", max_length=100)],
        until: Annotated[float, Parameter(description="The share's end in seconds since 1970")],
    ) -> Response[ShareReadiness]:
        """Traefik asks this each second while a share is set."""
        status = await rotation.share_state(instance=instance, until=until)
        return Response(ShareReadiness(status=status), status_code=200 if status == "serving" else 503)


class MetricsController(Controller):
    """The metrics for Prometheus. They are not on the public route."""

    path = "/metrics"
    opt = OUTSIDE_LIMITS
    guards = (only_inside,)

    @get(operation_id="GetMetrics", include_in_schema=False, sync_to_thread=True)
    def metrics(self, services: Services) -> Response[bytes]:
        """All metrics of this process."""
        services.measure()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)


def _readiness(dependencies: list[DependencyStatus], drain: Drain) -> str:
    if drain.begun:
        return "draining"
    return "ready" if is_ready(dependencies) else "unavailable"
