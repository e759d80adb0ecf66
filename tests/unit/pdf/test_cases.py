"""Files that were once read wrongly, with the right answers. The tests run where these files are available."""

import json
from collections import Counter
from typing import Any

import msgspec

from tests.support.documents.reading import extract
from tests.support.paths import SHARED
from upschedule.pdf.errors import UnreadableDocument
from upschedule.timetable.event import Event, Extraction

CASES = SHARED / "cases" / "reading"


def _entries() -> list[dict[str, Any]]:
    listed = CASES / "cases.json"
    return json.loads(listed.read_text(encoding="utf-8")) if listed.exists() else []


def test_every_case_has_its_right_answer() -> None:
    wrong = [f"{entry['file']}: {fault}" for entry in _entries() if (fault := _fault(entry))]

    assert not wrong, "\n".join(wrong)


def _fault(entry: dict[str, Any]) -> str:
    """Returns an empty text if the file is handled as its entry says."""
    try:
        read = extract((CASES / entry["file"]).read_bytes())
    except UnreadableDocument as error:
        return "" if entry["expect"] in {"refuse", "safe"} else f"refused: {error.detail}"
    found = Counter(map(_text, read.events))
    wanted = Counter(_canonical(event) for event in entry.get("events", [])) or _base(entry["base"])
    if entry["expect"] == "safe":
        return "" if not found - wanted and read.warnings else "invented events, or no warning"
    return "" if entry["expect"] != "refuse" and found == wanted else f"{len(read.events)} events"


def _base(name: str) -> Counter[str]:
    sample = name.removeprefix("sample-")
    path = SHARED / "samples" / f"{sample}.pdf" if sample != name else CASES / f"base-{name}.pdf"
    base: Extraction = extract(path.read_bytes())
    return Counter(map(_text, base.events))


def _text(event: Event) -> str:
    return _canonical(msgspec.to_builtins(event))


def _canonical(event: dict[str, Any]) -> str:
    return json.dumps({key: value for key, value in event.items() if key not in {"page", "boxes"}}, sort_keys=True)
