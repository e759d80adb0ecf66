"""Reads what the stack applied last: `pulumi up` writes it to a Nomad Variable after it has registered the jobs."""

from collections.abc import Mapping

import msgspec

from upschedule.deploy.errors import ServerRefused
from upschedule.deploy.nomad import NomadClient
from upschedule.deploy.nomad_model import Job

#: Where the program writes it (`pulumi/parts/application.py`). The deploy token may read it.
PATH = "stack/applied"
NOT_AS_APPLIED = (
    "is not what the stack last applied: set the stack back to what runs (docs/runbooks/revert.md), or start what the "
    "stack names with `pulumi up --refresh`"
)


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """The version of the release, and hashes of secrets and settings, as the jobs' meta data name them."""

    release: str
    secrets: str = ""
    settings: str = ""

    def is_run_by(self, job: Job) -> bool:
        """Whether the job was registered with all of this."""
        return not self.differences(job.meta or {})

    def differences(self, meta: Mapping[str, str]) -> list[str]:
        """Names what differs in a job with these meta data: `release`, `secrets` or `settings`.

        A job of an earlier program names neither secrets nor settings; those are not compared.
        """
        release = [] if meta.get("release") == self.release else ["release"]
        return release + [
            name for name in ("secrets", "settings") if name in meta and meta[name] != getattr(self, name)
        ]


def read_applied(nomad: NomadClient) -> Applied | None:
    """None where no stack has written it. Raises ServerUnreachable and ServerRefused."""
    found = nomad.find("var", *PATH.split("/"))
    try:
        return msgspec.convert(found["Items"], Applied) if found else None
    except msgspec.ValidationError:
        return None


def read_applied_if_allowed(nomad: NomadClient) -> Applied | None:
    """None also where the token is one from before `stack/applied`. Raises ServerUnreachable and ServerRefused."""
    try:
        return read_applied(nomad)
    except ServerRefused as error:
        if error.is_forbidden:
            return None
        raise
