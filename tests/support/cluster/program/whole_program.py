"""The whole program, as `pulumi up` runs it."""

import json
import runpy
from collections.abc import Mapping
from typing import Any

import msgspec

from tests.support.cluster.program.configurations import GIVEN, REQUIRED, configure
from tests.support.cluster.program.recorded_engine import Ran, run
from tests.support.paths import ROOT
from upschedule.settings.schema import SettingDescription, describe

MAIN = ROOT / "pulumi" / "__main__.py"


#: What this checkout accepts.
SETTINGS = describe()


def manifest(version: str, settings: Mapping[str, SettingDescription] | None = SETTINGS) -> str:
    """A manifest like that of `upschedule release`. Without `settings` it is like one of an older release."""
    printed: dict[str, Any] = {
        "version": version,
        "commit": "0" * 40,
        "environment": {"name": f"environment-{version}.tar.gz", "sha256": "e" * 64},
        "sources": {"name": f"sources-{version}.tar.gz", "sha256": "5" * 64},
    }
    return json.dumps(printed | ({} if settings is None else {"settings": msgspec.to_builtins(settings)}))


RELEASED = {**REQUIRED, "release": manifest("1"), "namespace": "whole", "userPrefix": "whole-"}


def up(
    settings: Mapping[str, str] = REQUIRED, secrets: Mapping[str, str] = GIVEN, *, into: Ran[list[str]] | None = None
) -> Ran[list[str]]:
    """Its result names the parts. With a release it asks the Nomad that the environment names."""

    def program() -> list[str]:
        configure(settings, secrets)
        return [part.__name__ for part in runpy.run_path(str(MAIN), run_name="__main__")["PARTS"]]

    return run(program, into=into)
