"""The manifest of a release, which `upschedule release` prints and the Pulumi program reads."""

from typing import Annotated

import msgspec

from upschedule.settings.schema import SettingDescription

Text = Annotated[str, msgspec.Meta(min_length=1)]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]


class Archive(msgspec.Struct, frozen=True, kw_only=True):
    """One archive of a release; `sha256` is of the file."""

    name: Text
    sha256: Sha256


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The stack's setting `release` is this struct as JSON.

    `settings` are those that the release accepts, by `GROUP/NAME`. None: the release was packed without them.
    """

    version: Text
    commit: str
    environment: Archive
    sources: Archive
    settings: dict[str, SettingDescription] | None = None


class ReleaseLabel(msgspec.Struct, frozen=True, kw_only=True):
    """The file RELEASE in the sources, as JSON. It tells a running process its release."""

    version: str
    commit: str
