"""Tests which archives a recorded job needs."""

from typing import Any

from upschedule.deploy.preflight import archives_of


def test_the_archives_are_the_addresses_that_the_task_fetches() -> None:
    """HCL turns values that it calculates into numbers. Addresses in other tasks may have another purpose."""
    fetch = ["unpacked.py", "fetch", "/releases", 870, "https://store/a.tar.gz", "0a", "http://store/b.tar.gz", "0b"]

    def task(name: str, arguments: list[Any] | None) -> dict[str, Any]:
        return {"Name": name, "Config": {"command": "python", "args": arguments}}

    tasks = [task("fetch", fetch), task("serve", ["--at", "http://elsewhere"]), {"Name": "fetch", "Config": None}]

    assert list(archives_of({"TaskGroups": [{"Tasks": tasks}]})) == ["https://store/a.tar.gz", "http://store/b.tar.gz"]
    assert list(archives_of({"TaskGroups": [{"Tasks": [task("fetch", None)]}]})) == []
