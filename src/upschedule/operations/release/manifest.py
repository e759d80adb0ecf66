"""What a release is made of."""

import msgspec


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """`sha256` is of the file, in hexadecimal digits."""

    name: str
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The stack's setting `release` is this as JSON."""

    version: str
    commit: str
    environment: Archive
    sources: Archive


class ReleaseFile(msgspec.Struct, frozen=True, kw_only=True):
    """The file RELEASE among the sources, as JSON: by it running code knows what it is."""

    version: str
    commit: str
