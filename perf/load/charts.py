"""The plots of a report, as SVG text that a page holds."""

import io
from collections.abc import Mapping, Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from perf.load.sampler import COUNTERS
from perf.load.samples import OUTCOMES, Latencies, Requests, together
from perf.load.verdicts import DATABASE, WHOLE, Measured

_POINTS = 120
_COLOURS = {"right": "#2a6f4e", "limited": "#c98a00", "failed": "#b3261e", "wrong": "#6a1b9a"}


def charts(measured: Measured) -> list[tuple[str, str]]:
    """Title and SVG of each."""
    mpl.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "report", "font.size": 9})
    step = max(1.0, measured.profile.duration_seconds / _POINTS)
    windows = [
        (begin, measured.requests(begin, begin + step)) for begin in _steps(measured.profile.duration_seconds, step)
    ]
    return [
        ("Latency of a request, seconds", _latency(measured, windows, whole=False)),
        ("From upload to finished, seconds", _latency(measured, windows, whole=True)),
        ("Answers a second", _throughput(measured, windows, step)),
        ("Cores used", _cores(measured)),
        ("Memory that is not shared with other processes, MB", _memory(measured)),
        ("Queue and connections", _gauges(measured)),
    ]


Windows = Sequence[tuple[float, Mapping[str, Requests]]]


def _latency(measured: Measured, windows: Windows, *, whole: bool) -> str:
    figure, axes = _axes(measured)
    for part, style in ((0.5, "-"), (0.95, "--"), (0.99, ":")):
        points: list[tuple[float, float]] = []
        for begin, requests in windows:
            latencies = _latencies(requests, whole=whole)
            if len(latencies):
                points.append((begin, latencies.quantile(part)))
        axes.plot([x for x, _ in points], [y for _, y in points], style, label=f"p{part * 100:.0f}", color="#1a4f8a")
    axes.set_yscale("log")
    axes.legend(loc="upper left")
    return _svg(figure)


def _latencies(requests: Mapping[str, Requests], *, whole: bool) -> Latencies:
    chosen = {name: of_name for name, of_name in requests.items() if (name in WHOLE) == whole}
    return together(chosen).latencies


def _throughput(measured: Measured, windows: Windows, step: float) -> str:
    figure, axes = _axes(measured)
    xs = [begin for begin, _ in windows]
    counts = [together(dict(requests), without=WHOLE).outcomes for _, requests in windows]
    rates = [[count[outcome] / step for count in counts] for outcome in OUTCOMES]
    axes.stackplot(xs, rates, labels=OUTCOMES, colors=[_COLOURS[outcome] for outcome in OUTCOMES])
    axes.legend(loc="upper left")
    return _svg(figure)


def _cores(measured: Measured) -> str:
    figure, axes = _axes(measured)
    pairs = list(zip(measured.samples, measured.samples[1:], strict=False))
    for part in _parts(measured):
        points = [
            (later.at, (later.parts[part].cpu_seconds - earlier.parts[part].cpu_seconds) / (later.at - earlier.at))
            for earlier, later in pairs
            if part in earlier.parts and part in later.parts
        ]
        axes.plot([x for x, _ in points], [max(0.0, y) for _, y in points], label=part, linewidth=0.9)
    axes.axhline(measured.cores, color="#777", linestyle="--", linewidth=0.7)
    axes.legend(loc="upper left", ncols=2)
    return _svg(figure)


def _memory(measured: Measured) -> str:
    figure, axes = _axes(measured)
    for part in _parts(measured):
        points = [
            (sample.at, sample.parts[part].private_bytes / 1e6) for sample in measured.samples if part in sample.parts
        ]
        axes.plot([x for x, _ in points], [y for _, y in points], label=part, linewidth=0.9)
    axes.legend(loc="upper left", ncols=2)
    return _svg(figure)


def _gauges(measured: Measured) -> str:
    figure, axes = _axes(measured)
    names = {name for sample in measured.samples for name in sample.gauges}
    for name in sorted(names - {DATABASE, "share of dead rows", *COUNTERS}):
        points = [(sample.at, sample.gauges[name]) for sample in measured.samples if name in sample.gauges]
        axes.plot([x for x, _ in points], [y for _, y in points], label=name, linewidth=0.9)
    axes.legend(loc="upper left")
    return _svg(figure)


def _parts(measured: Measured) -> list[str]:
    return sorted({part for sample in measured.samples for part in sample.parts} - {"other"})


def _axes(measured: Measured) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(9, 2.8), layout="constrained")
    axes = figure.subplots()
    axes.set_xlim(0, measured.profile.duration_seconds)
    axes.set_xlabel("seconds after the start")
    axes.grid(visible=True, linewidth=0.3)
    for name, begin in measured.profile.starts_of().items():
        axes.axvline(begin, color="#aaa", linewidth=0.6)
        axes.text(begin, 1.0, f" {name}", fontsize=7, va="bottom", transform=axes.get_xaxis_transform())
    return figure, axes


def _steps(end: float, step: float) -> list[float]:
    return [number * step for number in range(int(end / step))]


def _svg(figure: Figure) -> str:
    target = io.StringIO()
    figure.savefig(target, format="svg", metadata={"Date": None})
    text = target.getvalue()
    return text[text.index("<svg") :]
