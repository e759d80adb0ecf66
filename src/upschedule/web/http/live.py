"""What may change while the process runs. Asked for at each request, so that none works with a value of yesterday."""

import msgspec

from upschedule.web.http.rate_limits import LimitOptions
from upschedule.web.http.streams import StreamLimits


class Maintenance(msgspec.Struct, frozen=True, kw_only=True):
    """Under way: `message` is what people are told, `retry_after_seconds` what programs are."""

    message: str
    retry_after_seconds: int


class LiveOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The values of one moment. `maintenance` is None while there is none."""

    limits: LimitOptions
    streams: StreamLimits
    maintenance: Maintenance | None
