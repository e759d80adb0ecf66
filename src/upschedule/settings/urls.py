"""Checks that a URL or an address can be used by the client that gets it. Pure functions.

The sentences never quote the value: it may hold a password.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import parse_qsl, urlsplit

from msgspec import Meta
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from redis.connection import parse_url  # pyright: ignore[reportUnknownVariableType] - its result has no type

from upschedule.settings.metadata import AUTHORITY, PORT

_POSTGRES_SCHEME = re.compile(r"postgres(ql)?://")
_POSTGRES_HOST = re.compile(r"[^\s@:?#]*|[0-9A-Fa-f:.]+")
#: What libpq takes for a value only when it connects. A list has an item for each host.
_POSTGRES_VALUES: Mapping[str, re.Pattern[str]] = {
    "port": re.compile(PORT),
    "connect_timeout": re.compile(r"\d{1,5}"),
    "sslmode": re.compile("disable|allow|prefer|require|verify-ca|verify-full"),
    "target_session_attrs": re.compile("any|read-write|read-only|primary|standby|prefer-standby"),
    "channel_binding": re.compile("disable|prefer|require"),
    "gssencmode": re.compile("disable|prefer|require"),
    "keepalives": re.compile("[01]"),
}
_LISTS = frozenset({"port"})
_REDIS = re.compile(rf"rediss?://([^\s/?#@]*@)?{AUTHORITY}(/\d{{0,5}})?(\?[^\s#]*)?")
#: Times and numbers of connections are settings of their own.
_REDIS_OPTIONS = frozenset({"db", "client_name", "protocol"})
_REDIS_TLS_OPTIONS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname"})
_REDIS_VALUES: Mapping[str, re.Pattern[str]] = {
    "db": re.compile(r"\d{1,5}"),
    "protocol": re.compile("[23]"),
    "ssl_cert_reqs": re.compile("none|optional|required"),
    "ssl_check_hostname": re.compile("true|false"),
}
_ORIGIN = re.compile(f"https?://{AUTHORITY}")
_PAGE = re.compile(rf"https?://{AUTHORITY}([/?#]\S*)?")
_HOST = re.compile(AUTHORITY)
_ADDRESS = re.compile(rf"(?=.*:\d+$){AUTHORITY}")


def kind_of(metas: Iterable[object]) -> str | None:
    """The kind that the metadata of an annotation name."""
    extras = (each.extra for each in metas if isinstance(each, Meta) and each.extra)
    return next((str(extra["url"]) for extra in extras if "url" in extra), None)


def url_problem(kind: str, text: str) -> str | None:
    """A sentence that says what to write instead; None where the value can be used. `kind` is a key of `KINDS`."""
    is_usable, sentence = KINDS[kind]
    return None if is_usable(text) else sentence


def _is_postgres(text: str) -> bool:
    if not _POSTGRES_SCHEME.match(text):
        return False
    try:
        options = {name: str(value) for name, value in conninfo_to_dict(text).items()}
    except ProgrammingError:
        return False
    hosts = options.get("host", "").split(",")
    return all(_POSTGRES_HOST.fullmatch(host) for host in hosts) and all(
        pattern.fullmatch(value)
        for name, pattern in _POSTGRES_VALUES.items()
        for value in (options.get(name, "").split(",") if name in _LISTS else [options.get(name, "")])
        if value
    )


def _is_redis(text: str) -> bool:
    if not _REDIS.fullmatch(text):
        return False
    try:
        parse_url(text)
        options = dict(parse_qsl(urlsplit(text).query, keep_blank_values=True, strict_parsing="?" in text))
    except ValueError:
        return False
    known = _REDIS_OPTIONS | (_REDIS_TLS_OPTIONS if text.startswith("rediss:") else frozenset[str]())
    return options.keys() <= known and all(
        value and (name not in _REDIS_VALUES or _REDIS_VALUES[name].fullmatch(value)) for name, value in options.items()
    )


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda text: pattern.fullmatch(text) is not None


_ESCAPED = "write special characters of name and password percent-encoded, as %40 for @"
_POSTGRES_SENTENCE = (
    "cannot be used: write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with options of PostgreSQL's library "
    f"such as ?sslmode=verify-full; {_ESCAPED}"
)
_REDIS_SENTENCE = (
    "cannot be used: write redis://USER:PASSWORD@HOST:PORT/NUMBER, or rediss:// for TLS; the options are "
    f"{', '.join(sorted(_REDIS_OPTIONS))}, and with TLS {', '.join(sorted(_REDIS_TLS_OPTIONS))}; {_ESCAPED}"
)
#: By the name in a setting's metadata: whether a text can be used, and the sentence if not.
KINDS: Mapping[str, tuple[Callable[[str], bool], str]] = {
    "postgresql": (_is_postgres, _POSTGRES_SENTENCE),
    "redis": (_is_redis, _REDIS_SENTENCE),
    "origin": (_matches(_ORIGIN), "cannot be used: write http://HOST:PORT or https://HOST:PORT, and nothing after it"),
    "page": (_matches(_PAGE), "cannot be used: write http://HOST:PORT/ or https://HOST/, as people reach the service"),
    "address": (_matches(_ADDRESS), "cannot be used: write HOST:PORT without http://, the port from 1 to 65535"),
    "host": (_matches(_HOST), "cannot be used: write HOST or HOST:PORT without http://, the port from 1 to 65535"),
}
