"""The kind of device that asks for the page: calendars are taken differently on each. Pure."""

from typing import Literal

Device = Literal["android", "iphone", "computer"]


def device_of(user_agent: str) -> Device:
    """By what the browser says. An iPad that asks for the pages of a computer counts as one."""
    if "Android" in user_agent:
        return "android"
    return "iphone" if any(name in user_agent for name in ("iPhone", "iPad", "iPod")) else "computer"
