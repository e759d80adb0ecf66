"""Serves calendars as files that calendar programs fetch by a secret address."""

import re
from typing import Annotated

from litestar import Controller, Response, route
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import Parameter

from upschedule.calendars.errors import (
    CalendarBusy,
    FeedNotFound,
    ModuleNotInCalendar,
)
from upschedule.calendars.feeds import CalendarFile, FeedService
from upschedule.web.http.compression import ENCODED, VARY, accepts_gzip, compressed
from upschedule.web.http.entity_tags import matches
from upschedule.web.http.guards import OUTSIDE_LIMITS
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import READING, UNCHANGED, by_method
from upschedule.web.http.problems import problems

_QUOTE = '"'
#: The framework adds the character set.
_MEDIA_TYPE = "text/calendar"
FILE = ResponseSpec(bytes, description="An iCalendar file.", media_type=_MEDIA_TYPE, generate_examples=False)
_FEED_SUFFIX = ".ics"
#: A feed's address is a secret and its content private: caches and referrers must not leak them.
_FEED_HEADERS = {
    "Cache-Control": "private, no-cache",
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex",
}


class FeedController(Controller):
    """Feeds need no cookie and no sign-in.

    No rate limit applies to them, because Google's servers fetch the feeds of many people.
    """

    path = "/calendars"
    tags = ("feeds",)
    opt = OUTSIDE_LIMITS
    security = ({},)

    @route(
        "/{file_name:str}",
        http_method=READING,
        operation_id=by_method("ReadFeed"),
        summary="A calendar's feed",
        responses={200: FILE, 304: UNCHANGED, **problems(FeedNotFound, ModuleNotInCalendar, CalendarBusy)},
    )
    async def read(
        self,
        request: AnyRequest,
        file_name: Annotated[str, Parameter(description="The secret of the address, then `.ics`", max_length=200)],
        feeds: FeedService,
        module: Annotated[str, Parameter(description="Only this module", max_length=100)] = "",
    ) -> Response[bytes]:
        """Returns the calendar file, which follows all changes of documents, dates and choices."""
        token = file_name.removesuffix(_FEED_SUFFIX)
        if token == file_name or not re.fullmatch(r"[A-Za-z0-9_-]+", token):
            raise FeedNotFound
        return calendar_file(request, await feeds.feed(token, module=module), _FEED_HEADERS)


def calendar_file(request: AnyRequest, file: CalendarFile, headers: dict[str, str]) -> Response[bytes]:
    """The file, or 304 if the client already has this version."""
    # Strong tags name bytes, so that the compressed file has one of its own.
    zipped = accepts_gzip(request)
    tags = {False: file.etag, True: f'{file.etag.removesuffix(_QUOTE)}-gzip"'}
    headers = {**headers, **VARY, "ETag": tags[zipped]}
    if any(matches(request.headers.get("if-none-match"), tag) for tag in tags.values()):
        return Response(b"", status_code=304, headers=headers)
    if not zipped:
        return Response(file.body, media_type=_MEDIA_TYPE, headers=headers)
    return Response(compressed(file.body), media_type=_MEDIA_TYPE, headers=headers | ENCODED)
