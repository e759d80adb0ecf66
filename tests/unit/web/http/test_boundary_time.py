"""The measured time of a request, which is used to compare a canary with the release before (R6.3, R12.2)."""

import time
from collections.abc import Mapping
from typing import Any

from prometheus_client import REGISTRY

from tests.unit.services.test_live import base
from upschedule.services import LiveSettings
from upschedule.settings import Settings
from upschedule.web.http.body import Message, Receive, Scope
from upschedule.web.http.boundary import Boundary, Send

DELAY_SECONDS = 0.05
LABELS = {"method": "GET", "route": "/of-this-test"}


class SlowSettings(LiveSettings):
    """The first call that a request needs is slow."""

    @property
    def current(self) -> Settings:
        time.sleep(DELAY_SECONDS)
        return super().current


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    del receive
    scope["path_template"] = LABELS["route"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def receive() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def send(message: Mapping[str, Any]) -> None:
    del message


async def test_a_delay_before_the_application_is_part_of_the_time_of_a_request() -> None:
    """A release may be slow in any part of a request."""
    scope: Scope = {"type": "http", "method": "GET", "path": LABELS["route"], "headers": [], "query_string": b""}
    await Boundary(application, SlowSettings(base()))(scope, receive, send)
    seconds = REGISTRY.get_sample_value("upschedule_http_request_seconds_sum", LABELS)
    assert seconds is not None
    assert seconds >= DELAY_SECONDS
