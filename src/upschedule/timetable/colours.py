"""A colour for each module, by the CSS names that iCalendar's COLOR takes (RFC 7986)."""

import hashlib
from typing import Literal, get_args

Colour = Literal[
    "crimson", "darkorange", "goldenrod", "olivedrab", "seagreen", "teal",
    "steelblue", "royalblue", "slateblue", "mediumorchid", "palevioletred", "sienna",
]  # fmt: skip
COLOURS: tuple[Colour, ...] = get_args(Colour)


def colour_of(module: str) -> Colour:
    """Does not depend on the other modules: one more upload recolours nothing."""
    return COLOURS[hashlib.sha256(module.encode()).digest()[0] % len(COLOURS)]
