"""Derives verdicts from the measurements. Pure functions."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from perf.load.profiles import Phase, Profile
from perf.load.sampler import Sample
from perf.load.samples import Recorder, Requests, together
from upschedule.settings import LimitSettings

#: The whole way of a document is not one request.
WHOLE = frozenset({"upload to finished"})
#: Requests outside the limit of all requests together.
FEEDS = frozenset({"feed", "unchanged feed"})
#: The phase of a profile that sends more than the limit, and what of the limit must be used then. Requests are counted
#: by the second in which they began, so a phase may show a little more than the limit.
BEYOND, LIMIT_USED_MIN, LIMIT_TOLERANCE = "beyond", 0.8, 1.05
#: A phase holds where so few visits fail, and nearly all that should come have come.
FAILED_SHARE_MAX = 0.01
FINISHED_P95_SECONDS, PAGE_P95_SECONDS = 10.0, 2.0
#: Of all cores, from which on the processor is what limits.
BUSY = 0.9
OTHERS = "other programs"
DATABASE = "bytes of the database"
REDIS = "Redis"
WINDOW_SECONDS = 5.0
#: Recovered: at most so much slower than before, or below the seconds that people do not notice.
RECOVERED_FACTOR, UNNOTICED_SECONDS = 1.5, 0.25
BLOCKS = 20
#: Two-sided 95 % of Student's t with BLOCKS - 2 degrees of freedom.
_T = 2.101
#: Growth over the whole test that counts, as a part of what is used on average.
GROWTH_MAX = 0.05
#: What begins to work grows for a while: a shorter test shows growth, and does not judge it.
JUDGED_SECONDS = 1800.0
#: The service keeps the windows of limits and finished statuses for an hour, and looks for lost files once an hour.
#: Growth until then is no leak; a test that is long enough is judged by what comes afterwards.
SETTLED_SECONDS = 3900.0
#: Sessions are kept for weeks, so Redis grows throughout a test of hours. What matters is how much each visit leaves:
#: the capacity model computes the memory of Redis from a figure of this size.
REDIS_BYTES_MAX = 5000
#: Of all rows; PostgreSQL's default is to clean up at 20 %.
DEAD_ROWS_MAX = 0.3


@dataclass(frozen=True)
class Verdict:
    """`passed` is None for what is reported without being judged."""

    what: str
    goal: str
    measured: str
    passed: bool | None


@dataclass(frozen=True)
class Growth:
    """The growth of a line through the means of BLOCKS parts, from first to last, ± its 95 % interval."""

    mean: float
    gain: float
    interval: float

    @property
    def grows(self) -> bool:
        """Surely, and by so much that it matters."""
        return self.gain - self.interval > 0 and self.gain > GROWTH_MAX * self.mean


@dataclass(frozen=True)
class Measured:
    """Everything that a run has measured; `samples` have `at` in seconds after the start."""

    profile: Profile
    recorder: Recorder
    samples: Sequence[Sample]
    cores: int

    def requests(self, begin: float | None = None, end: float | None = None) -> dict[str, Requests]:
        """The requests by name, without the warm-up unless `begin` includes it."""
        first = self.profile.warm_up_seconds if begin is None else begin
        return self.recorder.between(first, self.profile.duration_seconds if end is None else end)

    def busy(self, begin: float, end: float) -> dict[str, float]:
        """Cores that each part has used on average, and the machine's `other programs`."""
        inside = [sample for sample in self.samples if begin <= sample.at <= end]
        if len(inside) < 2:
            return {}
        first, last = inside[0], inside[-1]
        parts = first.parts.keys() & last.parts.keys()
        seconds = last.at - first.at
        used = {part: (last.parts[part].cpu_seconds - first.parts[part].cpu_seconds) / seconds for part in parts}
        whole = (last.machine_seconds - first.machine_seconds) / seconds
        used[OTHERS] = max(0.0, whole - sum(used.values()))
        return dict(sorted(used.items(), key=lambda item: -item[1]))


def verdicts(measured: Measured) -> list[Verdict]:
    """One verdict for each goal of the profile."""
    profile, found = measured.profile, list[Verdict]()
    requests = measured.requests()
    # A stress test goes on beyond what the service can do: failures are its purpose there, wrong answers are not.
    whole = together(requests)
    bad = whole.outcomes["wrong"] + (0 if profile.goals.finds_limit else whole.outcomes["failed"])
    accepted = "wrong" if profile.goals.finds_limit else "failed or wrong"
    found.append(Verdict(f"requests {accepted}", "0", f"{bad} of {whole.outcomes.total()}", bad == 0))
    for name, seconds in profile.goals.p95_seconds.items():
        of_name = requests.get(name, Requests())
        p95 = of_name.latencies.quantile(0.95)
        text = f"{p95 * 1000:.0f} ms of {len(of_name.latencies)}"
        passed = len(of_name.latencies) > 0 and p95 <= seconds
        found.append(Verdict(f"p95 of {name}", f"at most {seconds * 1000:.0f} ms", text, passed))
    if (allowed := profile.goals.recovery_seconds) is not None:
        took = recovery(measured)
        text = "not within the test" if took is None else f"{took:.0f} s"
        found.append(
            Verdict(
                "back to normal after the peak", f"within {allowed:.0f} s", text, took is not None and took <= allowed
            )
        )
    if (allowed := profile.goals.finished_seconds) is not None:
        took = measured.recorder.last_finished
        found.append(Verdict("every document is read", f"within {allowed:.0f} s", f"{took:.1f} s", took <= allowed))
    if profile.goals.keeps_limit:
        found.extend(_limits(measured))
    if profile.goals.finds_limit:
        found.append(_limit(measured))
    if profile.goals.finds_growth:
        found.extend(_growths(measured))
    return found


def is_served(requests: Mapping[str, Requests]) -> bool:
    """Whether nearly every visit of a phase was served in time."""
    whole = together(dict(requests))
    failed = whole.outcomes.total() - whole.outcomes["right"]
    pages, finished = requests.get("page", Requests()), requests.get("upload to finished", Requests())
    return (
        failed <= FAILED_SHARE_MAX * whole.outcomes.total()
        and finished.outcomes.total() >= (1 - FAILED_SHARE_MAX) * pages.outcomes.total() > 0
        and finished.latencies.quantile(0.95) <= FINISHED_P95_SECONDS
        and pages.latencies.quantile(0.95) <= PAGE_P95_SECONDS
    )


def held_and_broken(measured: Measured) -> tuple[Phase | None, Phase | None]:
    """The last phase before the first that does not hold, and that one."""
    held: Phase | None = None
    for phase in measured.profile.phases:
        begin = measured.profile.starts_of()[phase.name]
        if not is_served(measured.requests(begin, begin + phase.seconds)):
            return held, phase
        held = phase
    return held, None


def bottleneck(measured: Measured, phase: Phase) -> str:
    """A sentence about what was used up in this phase, from the samples."""
    begin = measured.profile.starts_of()[phase.name]
    busy = measured.busy(begin, begin + phase.seconds)
    used = sum(busy.values())
    parts = ", ".join(f"{part} {cores:.2f}" for part, cores in busy.items() if cores >= 0.05)
    of_cores = f"{used:.2f} of {measured.cores} cores ({parts})"
    if used >= BUSY * measured.cores:
        return f"The processor is used up: {of_cores}."
    if busy.get("API", 0.0) >= BUSY:
        return f"One API process can use one core, and does: {of_cores}."
    if _highest(measured, "requests that wait for a connection", begin, phase.seconds) > 0:
        return f"Requests wait for a connection to PostgreSQL; {of_cores}."
    if _highest(measured, "jobs due", begin, phase.seconds) > 0:
        return f"Documents wait for a worker; {of_cores}."
    return f"None of processor, connections and workers is used up: {of_cores}."


def recovery(measured: Measured) -> float | None:
    """Seconds after the end of the phase `peak` until two windows in a row are as quick as before; None if never."""
    starts, phases = measured.profile.starts_of(), {phase.name: phase for phase in measured.profile.phases}
    before = measured.requests(measured.profile.warm_up_seconds, starts["peak"])
    bounds = {
        name: max(RECOVERED_FACTOR * before[name].latencies.quantile(0.95), UNNOTICED_SECONDS)
        for name in ("page", "upload to finished")
        if name in before
    }
    begin = starts["peak"] + phases["peak"].seconds
    in_a_row, at = 0, begin
    while at + WINDOW_SECONDS <= measured.profile.duration_seconds:
        window = measured.requests(at, at + WINDOW_SECONDS)
        whole = together(window)
        normal = whole.outcomes.total() == whole.outcomes["right"] and all(
            window[name].latencies.quantile(0.95) <= bound for name, bound in bounds.items() if name in window
        )
        # A window without a visitor proves nothing.
        in_a_row = in_a_row + 1 if normal and "page" in window else 0
        at += WINDOW_SECONDS
        if in_a_row == 2:
            return at - 2 * WINDOW_SECONDS - begin
    return None


def growth(times: Sequence[float], values: Sequence[float]) -> Growth | None:
    """None where there are too few values for BLOCKS means."""
    size = len(values) // BLOCKS
    if size == 0:
        return None
    xs = [statistics.fmean(times[block * size : (block + 1) * size]) for block in range(BLOCKS)]
    ys = [statistics.fmean(values[block * size : (block + 1) * size]) for block in range(BLOCKS)]
    line = statistics.linear_regression(xs, ys)
    rest = sum((y - line.intercept - line.slope * x) ** 2 for x, y in zip(xs, ys, strict=True))
    middle = statistics.fmean(xs)
    error = (rest / (BLOCKS - 2) / sum((x - middle) ** 2 for x in xs)) ** 0.5
    seconds = times[-1] - times[0]
    return Growth(statistics.fmean(values), line.slope * seconds, _T * error * seconds)


def _limits(measured: Measured) -> list[Verdict]:
    """Feeds are outside the limit of all requests together (R5.4)."""
    limit, found = LimitSettings().requests_per_second, list[Verdict]()
    for phase in measured.profile.phases:
        # Visits of the phase before go on for a moment.
        begin, end = (measured.profile.starts_of()[phase.name] + more for more in (WINDOW_SECONDS, phase.seconds))
        whole = together(measured.requests(begin, end), without=WHOLE | FEEDS)
        rate, refused = whole.outcomes["right"] / (end - begin), whole.outcomes["limited"]
        text = f"{rate:.0f} answers a second, {refused} refused with a time to retry"
        if phase.name == BEYOND:
            goal = f"at most {limit} a second, at least {LIMIT_USED_MIN:.0%} of them, and the rest refused"
            passed = LIMIT_USED_MIN * limit <= rate <= LIMIT_TOLERANCE * limit and refused > 0
        else:
            goal, passed = "none refused", refused == 0
        found.append(Verdict(f"phase {phase.name}", goal, text, passed))
    return found


def _limit(measured: Measured) -> Verdict:
    held, broken = held_and_broken(measured)
    if broken is None:
        return Verdict("the first load that it cannot serve", "is found", "none: the test ended before", passed=False)
    text = f"{broken.name}; {held.name} is served" if held else f"{broken.name}, the lowest of the test"
    return Verdict("the first load that it cannot serve", "is found", text, held is not None)


def _growths(measured: Measured) -> list[Verdict]:
    is_long = measured.profile.duration_seconds >= SETTLED_SECONDS + JUDGED_SECONDS
    begin = SETTLED_SECONDS if is_long else measured.profile.warm_up_seconds
    inside = [sample for sample in measured.samples if sample.at >= begin]
    times = [sample.at for sample in inside]
    found: list[Verdict] = []
    for part in sorted({part for sample in inside for part in sample.parts} - {"sender", "other"}):
        uses = [sample.parts.get(part) for sample in inside]
        memory = [use.private_bytes / 1e6 if use else 0.0 for use in uses]
        if part == REDIS:
            found.append(_grows_with_visits(f"memory of {part}, MB", times, memory, measured))
        else:
            found.append(_grows(f"memory of {part}, MB", times, memory))
        found.append(_grows(f"open files of {part}", times, [float(use.files) if use else 0.0 for use in uses]))
    gauges = {name for sample in inside for name in sample.gauges}
    found.extend(
        _grows(name, times, [sample.gauges.get(name, 0.0) for sample in inside])
        for name in sorted(gauges & {"connections of PostgreSQL", "jobs due"})
    )
    if "share of dead rows" in gauges:
        share = max(sample.gauges.get("share of dead rows", 0.0) for sample in inside)
        goal, text = f"at most {DEAD_ROWS_MAX:.0%}", f"{share:.1%} at most"
        found.append(Verdict("share of dead rows", goal, text, _judged(times, passed=share <= DEAD_ROWS_MAX)))
    sizes = [sample.gauges[DATABASE] for sample in inside if DATABASE in sample.gauges]
    if sizes:
        each = (sizes[-1] - sizes[0]) / max(1, len(measured.recorder.accepted)) / 1000
        found.append(Verdict("database", "grows with what it stores", f"{each:.1f} kB for each document", passed=None))
    return found


def _grows(what: str, times: Sequence[float], values: Sequence[float]) -> Verdict:
    goal = f"grows by at most {GROWTH_MAX:.0%}"
    found = growth(times, values)
    if found is None:
        return Verdict(what, goal, "too few samples", passed=False)
    text = f"{found.mean:.1f} on average, {found.gain:+.1f} ± {found.interval:.1f} over the test"
    return Verdict(what, goal, text, _judged(times, passed=not found.grows))


def _grows_with_visits(what: str, times: Sequence[float], values: Sequence[float], measured: Measured) -> Verdict:
    goal = f"grows by at most {REDIS_BYTES_MAX / 1000:.0f} kB for each visit"
    found = growth(times, values)
    if found is None:
        return Verdict(what, goal, "too few samples", passed=False)
    visits = len(measured.recorder.accepted) * (times[-1] - times[0]) / measured.profile.duration_seconds
    most = (found.gain + found.interval) * 1e6 / max(1.0, visits)
    text = f"{found.mean:.1f} on average, {found.gain:+.1f} ± {found.interval:.1f}: {most / 1000:.1f} kB at most"
    return Verdict(what, goal, text, _judged(times, passed=most <= REDIS_BYTES_MAX))


def _judged(times: Sequence[float], *, passed: bool) -> bool | None:
    return passed if times[-1] - times[0] >= JUDGED_SECONDS else None


def _highest(measured: Measured, gauge: str, begin: float, seconds: float) -> float:
    inside = (sample for sample in measured.samples if begin <= sample.at <= begin + seconds)
    return max((sample.gauges.get(gauge, 0.0) for sample in inside), default=0.0)
