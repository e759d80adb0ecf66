"""The SQL of devices: browsers that signed in to an account before (decision 15)."""

from datetime import datetime
from uuid import UUID

from upschedule.stores.database import Connection

# Rows beyond these are deleted, the least recently used first.
_DEVICES_OF_ACCOUNT_MAX = 20
_ACCOUNTS_OF_DEVICE_MAX = 10

_EXISTS = """
    SELECT FROM devices WHERE id_hash = %(id_hash)s AND account_id = %(account_id)s AND used_at > %(since)s
"""
_RENAME = "UPDATE devices SET id_hash = %(new)s WHERE id_hash = %(old)s"
_UPSERT = """
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
_FORGET = "DELETE FROM devices WHERE account_id = %(account_id)s"


class DeviceRepository:
    """The caller owns the transaction and passes the time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def exists(self, id_hash: bytes, account_id: UUID, *, since: datetime) -> bool:
        """Whether this device signed in to this account after `since`."""
        values = {"id_hash": id_hash, "account_id": account_id, "since": since}
        cursor = await self._connection.execute(_EXISTS, values)
        return await cursor.fetchone() is not None

    async def upsert(self, *, old: bytes | None, new: bytes, account_id: UUID, now: datetime) -> None:
        """Stores the sign-in under the id `new`, and moves the device's other rows from `old` to it.

        The change of id makes an id worthless that another person planted.
        """
        values = {"old": old, "new": new, "account_id": account_id, "now": now}
        if old is not None:
            await self._connection.execute(_RENAME, values)
        await self._connection.execute(_UPSERT, values)
        maxima = {"devices_max": _DEVICES_OF_ACCOUNT_MAX, "accounts_max": _ACCOUNTS_OF_DEVICE_MAX}
        await self._connection.execute(_TRIM, values | maxima)

    async def forget(self, account_id: UUID) -> None:
        """Deletes all devices of the account, so that no browser counts as known."""
        await self._connection.execute(_FORGET, {"account_id": account_id})
