"""The table of devices: browsers that signed in to an account before (decision 15)."""

from datetime import datetime
from uuid import UUID

from upschedule.stores.database import Connection

# The oldest beyond these are forgotten.
_DEVICES_OF_ACCOUNT_MAX = 20
_ACCOUNTS_OF_DEVICE_MAX = 10

_KNOWS = """
    SELECT FROM devices WHERE id_hash = %(id_hash)s AND account_id = %(account_id)s AND used_at > %(since)s
"""
_MOVE = "UPDATE devices SET id_hash = %(new)s WHERE id_hash = %(old)s"
_KEEP = """
    INSERT INTO devices (id_hash, account_id, used_at) VALUES (%(new)s, %(account_id)s, %(now)s)
    ON CONFLICT (id_hash, account_id) DO UPDATE SET used_at = excluded.used_at
"""
_TRIM = """
    DELETE FROM devices WHERE (id_hash, account_id) IN (
        (SELECT id_hash, account_id FROM devices WHERE account_id = %(account_id)s
         ORDER BY used_at DESC OFFSET %(devices_max)s)
        UNION
        (SELECT id_hash, account_id FROM devices WHERE id_hash = %(new)s
         ORDER BY used_at DESC OFFSET %(accounts_max)s)
    )
"""
# By time alone: the process that removes them may not read whose they are.
_REMOVE = """
    DELETE FROM devices WHERE used_at <= (
        SELECT max(used_at) FROM (
            SELECT used_at FROM devices WHERE used_at <= %(until)s ORDER BY used_at LIMIT %(rows_max)s
        ) AS oldest
    )
"""


class DeviceRepository:
    """The caller owns the transaction, and hands in the time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def knows(self, id_hash: bytes, account_id: UUID, *, since: datetime) -> bool:
        """Whether this device signed in to this account since then."""
        values = {"id_hash": id_hash, "account_id": account_id, "since": since}
        cursor = await self._connection.execute(_KNOWS, values)
        return await cursor.fetchone() is not None

    async def remember(self, *, old: bytes | None, new: bytes, account_id: UUID, now: datetime) -> None:
        """What the device had under `old` it has under `new`: an id that another person planted is worth nothing."""
        values = {"old": old, "new": new, "account_id": account_id, "now": now}
        if old is not None:
            await self._connection.execute(_MOVE, values)
        await self._connection.execute(_KEEP, values)
        maxima = {"devices_max": _DEVICES_OF_ACCOUNT_MAX, "accounts_max": _ACCOUNTS_OF_DEVICE_MAX}
        await self._connection.execute(_TRIM, values | maxima)

    async def remove(self, *, until: datetime, rows_max: int) -> int:
        cursor = await self._connection.execute(_REMOVE, {"until": until, "rows_max": rows_max})
        return cursor.rowcount
