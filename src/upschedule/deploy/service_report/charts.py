"""Draws one panel as SVG text that a page holds. Needs matplotlib, which belongs to the dependency group `report`."""

import datetime as dt
import io
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import matplotlib as mpl
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

Points = Sequence[tuple[float, float]]

#: The eye cannot distinguish more lines than these. The lines with the highest peaks are drawn.
LINES_MAX = 10
_STEP = 1024.0
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")


def chart(series: Mapping[str, Points], *, unit: str, begin: float, end: float) -> str:
    """The lines by name. Times are seconds since 1970, shown in UTC; NaN is a gap in a line."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "report", "font.size": 8})
    # The library leaves out the types of many arguments.
    figure: Any = Figure(figsize=(6.2, 2.6), layout="constrained")
    axes = figure.subplots()
    for name, points in sorted(highest(series).items()):
        times = [dt.datetime.fromtimestamp(at, dt.UTC) for at, _ in points]
        axes.plot(times, [value for _, value in points], label=name, linewidth=1.0)
    locator = AutoDateLocator(tz=dt.UTC)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, tz=dt.UTC))
    axes.yaxis.set_major_formatter(FuncFormatter(partial(_text_at, unit=unit)))
    axes.set_xlim(dt.datetime.fromtimestamp(begin, dt.UTC), dt.datetime.fromtimestamp(end, dt.UTC))
    axes.set_ylim(bottom=min(0.0, axes.get_ylim()[0]))
    axes.grid(visible=True, linewidth=0.3)
    axes.legend(loc="upper left", fontsize=7, framealpha=0.6)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()[text.getvalue().index("<svg") :]


def highest(series: Mapping[str, Points]) -> dict[str, Points]:
    """At most `LINES_MAX` lines: the ones with the highest peaks."""
    names = sorted(series, key=lambda name: -_peak(series[name]))[:LINES_MAX]
    return {name: series[name] for name in names}


def text_of(value: float, unit: str) -> str:
    """A value of an axis or a table with its unit."""
    formats: Mapping[str, Callable[[float], str]] = {
        "s": lambda seconds: f"{seconds * 1000:.3g} ms" if 0 < abs(seconds) < 1 else f"{seconds:.3g} s",
        "percent": lambda percent: f"{percent:.3g} %",
        "percentunit": lambda ratio: f"{ratio * 100:.3g} %",
        "bytes": _size,
        "reqps": lambda rate: f"{rate:.3g}/s",
        "ops": lambda rate: f"{rate:.3g}/s",
    }
    return formats[unit](value) if unit in formats else f"{value:.4g}"


def _text_at(value: float, _position: int | None, *, unit: str) -> str:
    return text_of(value, unit)


def _size(value: float) -> str:
    power = min(int(math.log(abs(value), _STEP)), len(_SIZES) - 1) if abs(value) >= 1 else 0
    return f"{value / _STEP**power:.3g} {_SIZES[power]}"


def _peak(points: Points) -> float:
    return max((value for _, value in points if not math.isnan(value)), default=-math.inf)
