"""Everything that the stores hold, as text: to see whether something is still there."""

from collections.abc import Iterator
from typing import Any

import psycopg
import redis
from psycopg import sql

_TABLES = "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"


def rows_with(owner_dsn: str, text: str) -> list[str]:
    """The rows of all tables that contain the text, each with the name of its table."""
    found: list[str] = []
    with psycopg.connect(owner_dsn) as connection:
        for (table,) in connection.execute(_TABLES).fetchall():
            rows = connection.execute(sql.SQL("SELECT t::text FROM {} AS t").format(sql.Identifier(table))).fetchall()
            found += [f"{table}: {row}" for (row,) in rows if text in row]
    return found


def entries_with(url: str, text: str) -> list[tuple[str, int]]:
    """The keys of a Redis that contain the text, or whose value does, with the seconds that they have left to live."""
    # Untyped, because the client leaves half of these methods' types unknown.
    client: Any = redis.Redis.from_url(url)
    try:
        found = [key for key in client.scan_iter() if text.encode() in b" ".join(_parts(client, key))]
        return [(key.decode(), client.ttl(key)) for key in found]
    finally:
        client.close()


def _parts(client: Any, key: bytes) -> Iterator[bytes]:
    yield key
    match client.type(key):
        case b"string":
            yield client.get(key) or b""
        case b"hash":
            yield from (part for pair in client.hgetall(key).items() for part in pair)
        case b"list":
            yield from client.lrange(key, 0, -1)
        case b"set":
            yield from client.smembers(key)
        case b"zset":
            yield from client.zrange(key, 0, -1)
        case b"stream":
            for _, fields in client.xrange(key):
                yield from (part for pair in fields.items() for part in pair)
        case other:
            raise AssertionError(other)
