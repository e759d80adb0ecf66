"""Files that no row speaks of any more."""

import structlog

from upschedule.stores.errors import StoreError
from upschedule.stores.objects import ObjectStore

_log = structlog.get_logger(__name__)


async def remove_object(objects: ObjectStore, key: str) -> None:
    """Call it once nothing points at the object. Where the store is away it stays, and retention finds it."""
    try:
        await objects.delete(key)
    except StoreError as error:
        _log.warning("object_left_behind", reason=error.reason)
