"""The load of the service: how long a new document waits."""

from litestar import Controller, get

from upschedule.processing.capacity import Capacity
from upschedule.services import Services
from upschedule.settings import Settings
from upschedule.web.http.client_addresses import ClientAddresses
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.problems import problems


class CapacityController(Controller):
    """For pages that tell people what to expect, and for load tests."""

    path = "/api/v1/capacity"
    tags = ("operations",)

    @get(operation_id="GetCapacity", summary="The queue and how long a newcomer waits", responses=problems())
    async def capacity(
        self, request: AnyRequest, services: Services, clients: ClientAddresses, settings: Settings
    ) -> Capacity:
        """`wait_seconds` comes from the measured rate (R2.2), for a new visitor of the address that asks."""
        return await services.intake.capacity(address=clients.of(request), settings=settings)
