"""Entity tags of answers, and their comparison with `If-None-Match` (RFC 9110)."""

import hashlib

import msgspec


def entity_tag(body: msgspec.Struct) -> str:
    """A tag that changes with any field of the body."""
    return f'"{hashlib.blake2b(msgspec.json.encode(body), digest_size=12).hexdigest()}"'


def names(if_match: str | None, tag: str) -> bool:
    """Whether a change is allowed: the client names this tag, any tag (`*`), or none."""
    return if_match is None or bool({"*", tag} & {part.strip() for part in if_match.split(",")})


def matches(if_none_match: str | None, tag: str) -> bool:
    """Whether the tag is among those that the client holds, by weak comparison."""
    if if_none_match is None:
        return False
    held = {part.strip().removeprefix("W/") for part in if_none_match.split(",")}
    return tag in held or "*" in held
