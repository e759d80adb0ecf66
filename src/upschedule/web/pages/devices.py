"""The kind of device that asks for the page: calendars are taken differently on each. Pure."""

from typing import Literal

Device = Literal["android", "iphone", "computer"]


def device_of(user_agent: str) -> Device:
    """What the browser says; an iPad that asks for pages of computers is one, and is offered Apple's calendar as well."""
    if "Android" in user_agent:
        return "android"
    return "iphone" if any(name in user_agent for name in ("iPhone", "iPad", "iPod")) else "computer"
