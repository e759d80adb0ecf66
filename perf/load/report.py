"""Writes for each run a page in HTML, one in Markdown, and figures in JSON for comparison with the next run (R7.5)."""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from perf.load import calibrate
from perf.load.charts import charts
from perf.load.integrity import Integrity
from perf.load.samples import OUTCOMES
from perf.load.verdicts import OTHERS, Measured, Verdict, bottleneck, held_and_broken, verdicts

Cells = Sequence[Sequence[str]]
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #1b1b1b }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; padding: .25rem .75rem; border-bottom: 1px solid #ddd }
td:not(:first-child) { font-variant-numeric: tabular-nums }
svg { width: 100%; height: auto }
.no { color: #b3261e }
.yes { color: #2a6f4e }
"""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """The values with which the next run of the profile is compared: p95 in seconds by name, and answers a second."""

    commit: str
    began: str
    p95_seconds: dict[str, float]
    answers_per_second: float


@dataclass(frozen=True)
class Run:
    """`settings` are words and values for the reader; `before` is the last run of the same profile."""

    measured: Measured
    began: str
    commit: str
    settings: Mapping[str, str]
    integrity: Integrity | None
    before: Figures | None

    @property
    def verdicts(self) -> list[Verdict]:
        found = verdicts(self.measured)
        if self.measured.profile.goals.calibrates:
            found.extend(calibrate.verdicts(self.measured))
        if self.integrity is None:
            return found
        counts, faults = self.integrity.counts, self.integrity.faults
        text = (
            ", ".join(f"{name.replace('_', ' ')}: {count}" for name, count in faults.items())
            if faults
            else f"{counts['jobs']} jobs, {counts['failed']} of the accepted ones failed with a reason"
        )
        return [*found, Verdict("data that are lost or wrong in the database", "0", text, not faults)]

    @property
    def passed(self) -> bool:
        return all(verdict.passed is not False for verdict in self.verdicts)


def figures(run: Run) -> Figures:
    requests = run.measured.requests()
    seconds = run.measured.profile.duration_seconds - run.measured.profile.warm_up_seconds
    total = sum(of_name.outcomes["right"] for of_name in requests.values())
    return Figures(
        commit=run.commit,
        began=run.began,
        p95_seconds={name: of_name.latencies.quantile(0.95) for name, of_name in sorted(requests.items())},
        answers_per_second=total / seconds,
    )


def write(run: Run, folder: Path) -> Path:
    """The HTML page's path."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / run.measured.profile.name
    stem.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(figures(run))) + b"\n")
    stem.with_suffix(".md").write_text(_markdown(run), encoding="utf-8")
    if run.measured.profile.goals.calibrates:
        described = f"{run.began[:10]}, commit {run.commit}, {run.settings['machine']}"
        found = calibrate.costs(run.measured, described)
        (folder / "costs.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n")
    page = stem.with_suffix(".html")
    page.write_text(_html(run), encoding="utf-8")
    return page


def read_figures(folder: Path, profile: str) -> Figures | None:
    """The figures of the last run whose report is in `folder`."""
    path = folder / f"{profile}.json"
    return msgspec.json.decode(path.read_bytes(), type=Figures) if path.exists() else None


def _sections(run: Run) -> list[tuple[str, Cells]]:
    """Title and table, the first row being the header."""
    profile = run.measured.profile
    sections: list[tuple[str, Cells]] = [
        (
            "Verdicts",
            [
                ("What", "Goal", "Measured", "Met"),
                *((each.what, each.goal, each.measured, _word(each.passed)) for each in run.verdicts),
            ],
        ),
        ("Requests", [("Request", *OUTCOMES, "p50", "p95", "p99", "longest"), *_request_rows(run.measured)]),
    ]
    if profile.phases:
        sections.append(
            ("Phases", [("Phase", "Visits a second", "Answers a second", "p95 of finished"), *_phase_rows(run)])
        )
    if run.measured.recorder.reasons:
        reasons = run.measured.recorder.reasons.most_common(20)
        sections.append(("What was not right", [("Reason", "Times"), *((why, str(count)) for why, count in reasons)]))
    if run.before:
        sections.append((f"Compared with {run.before.commit} of {run.before.began}", _comparison(run)))
    sections.append(("Configuration", [("What", "Value"), *run.settings.items()]))
    return sections


def _request_rows(measured: Measured) -> Cells:
    return [
        (
            name,
            *(str(of_name.outcomes[outcome]) for outcome in OUTCOMES),
            *(_milliseconds(of_name.latencies.quantile(part)) for part in (0.5, 0.95, 0.99)),
            _milliseconds(of_name.latencies.longest),
        )
        for name, of_name in sorted(measured.requests().items())
    ]


def _phase_rows(run: Run) -> Cells:
    rows: list[tuple[str, ...]] = []
    for phase in run.measured.profile.phases:
        begin = run.measured.profile.starts_of()[phase.name]
        requests = run.measured.requests(begin, begin + phase.seconds)
        right = sum(of_name.outcomes["right"] for of_name in requests.values()) / phase.seconds
        finished = requests.get("upload to finished")
        p95 = _milliseconds(finished.latencies.quantile(0.95)) if finished else ""
        rows.append((phase.name, f"{phase.visits_per_second:g}", f"{right:.1f}", p95))
    return rows


def _comparison(run: Run) -> Cells:
    assert run.before is not None
    now = figures(run)
    rows = [("Figure", "Before", "Now", "Ratio")]
    for name, seconds in now.p95_seconds.items():
        if earlier := run.before.p95_seconds.get(name):
            rows.append((f"p95 of {name}", _milliseconds(earlier), _milliseconds(seconds), f"{seconds / earlier:.2f}"))
    return rows


def recommendations(run: Run) -> list[str]:
    """Conclusions from the figures, as sentences."""
    measured = run.measured
    if measured.profile.goals.finds_limit:
        return _about_limit(measured)
    if measured.profile.phases:
        return [f"In the phase {phase.name}: {bottleneck(measured, phase)}" for phase in measured.profile.phases]
    busy = measured.busy(measured.profile.warm_up_seconds, measured.profile.duration_seconds)
    return [f"Cores used on average: {', '.join(f'{part} {cores:.2f}' for part, cores in busy.items())}."]


def _about_limit(measured: Measured) -> list[str]:
    held, broken = held_and_broken(measured)
    found = [f"At {broken.name}: {bottleneck(measured, broken)}"] if broken else []
    if held is not None:
        begin = measured.profile.starts_of()[held.name]
        busy = measured.busy(begin, begin + held.seconds)
        each = {part: cores / held.visits_per_second for part, cores in busy.items() if part not in {"sender", OTHERS}}
        parts = ", ".join(f"{part} {1000 * seconds:.0f} ms" for part, seconds in each.items())
        found.append(f"A visit takes so much of the processor at {held.name}: {parts}.")
        found.append(f"Plan {sum(each.values()):.2f} cores for each visit a second.")
    return found


def _markdown(run: Run) -> str:
    profile = run.measured.profile
    lines = [f"# Load test `{profile.name}` ({profile.requirement})", "", profile.question, ""]
    lines += [
        f"{run.began}, commit {run.commit}: {'all goals are met' if run.passed else 'not all goals are met'}.",
        "",
    ]
    for title, rows in _sections(run):
        lines += [f"## {title}", "", _row(rows[0]), _row(["---"] * len(rows[0])), *map(_row, rows[1:]), ""]
    lines += ["## What follows", "", *(f"- {sentence}" for sentence in recommendations(run))]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _html(run: Run) -> str:
    profile = run.measured.profile
    parts = [
        f"<!doctype html><html lang=en><meta charset=utf-8><title>Load test {profile.name}</title>",
        f"<style>{_STYLE}</style>",
        f"<h1>Load test {profile.name} ({profile.requirement})</h1><p>{html.escape(profile.question)}</p>",
        f"<p>{run.began}, commit {html.escape(run.commit)}.</p>",
    ]
    sections = _sections(run)
    parts += [_table(*section) for section in sections[:1]]
    parts += [f"<h2>What follows</h2><ul>{''.join(f'<li>{html.escape(text)}' for text in recommendations(run))}</ul>"]
    parts += [f"<h2>{title}</h2>{svg}" for title, svg in charts(run.measured)]
    parts += [_table(*section) for section in sections[1:]]
    return "\n".join(parts) + "\n"


def _table(title: str, rows: Cells) -> str:
    head = "".join(f"<th>{html.escape(cell)}" for cell in rows[0])
    body = "".join("<tr>" + "".join(map(_cell, row)) for row in rows[1:])
    return f"<h2>{html.escape(title)}</h2><table><tr>{head}{body}</table>"


def _cell(text: str) -> str:
    kind = f" class={text}" if text in {"yes", "no"} else ""
    return f"<td{kind}>{html.escape(text)}"


def _word(passed: bool | None) -> str:  # noqa: FBT001 - a verdict has three values
    return "" if passed is None else "yes" if passed else "no"


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"
