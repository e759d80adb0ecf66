"""Gives the modules of one calendar different colours, as far as there are colours. Pure functions."""

from collections.abc import Iterable, Mapping

from upschedule.timetable.colours import COLOURS, Colour, colour_of


def distinct_colours(modules: Iterable[str], chosen: Mapping[str, Colour]) -> dict[str, Colour]:
    """`chosen` with a colour for each of the modules. What is in `chosen` stays, so another upload changes no colour.

    A module has the colour that it has everywhere, or if another one of the calendar has it, the first that is free.
    """
    colours: dict[str, Colour] = dict(chosen)
    waiting = [module for module in sorted(set(modules)) if module not in colours]
    used = {colours[module] for module in set(modules) & colours.keys()}
    collided: list[str] = []
    for module in waiting:
        colour = colour_of(module)
        if colour in used:
            collided.append(module)
        else:
            colours[module] = colour
            used.add(colour)
    free: list[Colour] = [colour for colour in COLOURS if colour not in used]
    return colours | dict(zip(collided, free, strict=False))
