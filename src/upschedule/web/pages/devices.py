"""Recognises the kind of device that requests the page, because each adds calendars in its own way. Pure functions."""

from typing import Literal

Device = Literal["android", "iphone", "computer"]


def device_of(user_agent: str) -> Device:
    """The kind of device by the browser's User-Agent header.

    An iPad that requests desktop pages counts as a computer.
    """
    if "Android" in user_agent:
        return "android"
    return "iphone" if any(name in user_agent for name in ("iPhone", "iPad", "iPod")) else "computer"
