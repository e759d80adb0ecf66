"""Assigns each module a colour, as a CSS name that iCalendar's COLOR accepts (RFC 7986)."""

import hashlib
from typing import Literal, get_args

Colour = Literal[
    "crimson", "darkorange", "goldenrod", "olivedrab", "seagreen", "teal",
    "steelblue", "royalblue", "slateblue", "mediumorchid", "palevioletred", "sienna",
]  # fmt: skip
COLOURS: tuple[Colour, ...] = get_args(Colour)


def colour_of(module: str) -> Colour:
    """The colour of a module. It does not depend on other modules, so another upload changes no colour."""
    return COLOURS[hashlib.sha256(module.encode()).digest()[0] % len(COLOURS)]
