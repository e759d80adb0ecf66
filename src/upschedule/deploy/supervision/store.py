"""Stores the watch as one Nomad Variable, so that it survives restarts of the supervisor."""

from http import HTTPStatus

import msgspec

from upschedule.deploy.errors import DeployError, ServerRefused
from upschedule.deploy.nomad import NomadClient
from upschedule.deploy.supervision.model import Watch

#: The supervisor's token and the deploy token may read and write it (`pulumi/components/access.py`).
PATH = "supervisor/watch"
_PARTS = tuple(PATH.split("/"))


class StoredWatch(msgspec.Struct, frozen=True, kw_only=True):
    """`index` is Nomad's, 0 where there is none: a write replaces this version only."""

    watch: Watch | None
    index: int


class WatchChanged(DeployError):
    """Another process wrote the Variable since it was read."""

    def __init__(self) -> None:
        super().__init__("The watch changed meanwhile: read it again with `upschedule deploy status`.")

    @property
    def is_silence(self) -> bool:
        return True


class WatchStore:
    """Raises ServerUnreachable and ServerRefused."""

    def __init__(self, nomad: NomadClient) -> None:
        self._nomad = nomad

    def read(self) -> StoredWatch:
        """Content that cannot be read is ignored, so that a damaged Variable does not prevent a watch."""
        found = self._nomad.find("var", *_PARTS)
        if not found:
            return StoredWatch(watch=None, index=0)
        try:
            watch = msgspec.json.decode(found["Items"]["watch"], type=Watch)
        except (msgspec.MsgspecError, KeyError):
            watch = None
        return StoredWatch(watch=watch, index=found["ModifyIndex"])

    def write(self, watch: Watch, *, over: int) -> None:
        """Raises WatchChanged where `over` is no longer the index."""
        items = {"watch": msgspec.json.encode(watch).decode()}
        try:
            self._nomad.call("PUT", "var", *_PARTS, body={"Path": PATH, "Items": items}, cas=str(over))
        except ServerRefused as error:
            if error.status == HTTPStatus.CONFLICT:
                raise WatchChanged from error
            raise
