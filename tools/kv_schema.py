"""Writes `consul/kv/settings.json`, what each key of Consul may hold: `python -m tools.kv_schema`, from the root."""

import json
from pathlib import Path
from typing import Any

import msgspec

from upschedule.calendars.years import AcademicYearConfig
from upschedule.services.live import LIVE, YEARS_PREFIX

FILE = Path(__file__).parents[1] / "consul/kv/settings.json"


def render() -> str:
    """JSON; a test compares it with the file. A key that is not there leaves the variable's value."""
    keys: dict[str, Any] = {
        key: {
            "variable": field.variable,
            "default": field.default,
            "schema": msgspec.json.schema(field.annotation),
        }
        for key, field in LIVE.items()
    }
    keys[f"{YEARS_PREFIX}YEAR"] = {"variable": None, "default": None, "schema": msgspec.json.schema(AcademicYearConfig)}
    return json.dumps(keys, indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(render(), encoding="utf-8")
