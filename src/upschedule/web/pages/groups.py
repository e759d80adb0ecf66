"""Builds the screen for choosing groups: proposals, wishes, alternatives and clashes. Pure functions."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.clashes import settled_clashes
from upschedule.calendars.proposals import Alternative, GroupProposal, GroupProposals, all_groups
from upschedule.planning.groups import Decision, Group, decisions, open_entries, selected
from upschedule.planning.qualities import Qualities
from upschedule.planning.wishes import Wishes
from upschedule.timetable.clash import Clash
from upschedule.timetable.colours import Colour, colour_of
from upschedule.timetable.edits import OwnEvent
from upschedule.timetable.event import DAYS, Event, Exam, Lecture, weekday_of
from upschedule.timetable.text import campus_of, summary

#: Between the parts of a field's value.
SEPARATOR = "|"
#: The value of the free day that leaves the weekday open.
ANY_DAY = "any"
_WORKING_DAYS = 5
_KINDS = {"L": "Lectures", "P": "Practicals", "T": "Tutorials"}
_LANGUAGES = {"E": "English", "A": "Afrikaans"}
_STARTS = ("08:30", "09:30", "10:30")


class ClashLine(msgspec.Struct, frozen=True, kw_only=True):
    """`id` is empty for a clash of a proposal, which cannot be dismissed."""

    what: str
    when: str
    dates: tuple[str, ...]
    id: str = ""
    dismissed: bool = False


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a timetable is like, in short."""

    title: str
    free_of_clashes: bool
    facts: tuple[str, ...]
    clashes: tuple[ClashLine, ...]


class GroupLine(msgspec.Struct, frozen=True, kw_only=True):
    """A group of a proposal. `equal` are groups at the same times."""

    module: str
    colour: Colour
    kind: str
    name: str
    equal: tuple[str, ...]
    when: tuple[str, ...]


class ProposalCard(msgspec.Struct, frozen=True, kw_only=True):
    """`fields` take it; `current`: it is what is chosen now."""

    verdict: Verdict
    groups: tuple[GroupLine, ...]
    fields: tuple[str, ...]
    current: bool


class Select(msgspec.Struct, frozen=True, kw_only=True):
    """A choice of one value; `options` are values with labels."""

    name: str
    id: str
    label: str
    options: tuple[tuple[str, str], ...]
    chosen: str


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    label: str
    ticked: bool


class WishForm(msgspec.Struct, frozen=True, kw_only=True):
    """`settled` are the groups that a student may not choose."""

    selects: tuple[Select, ...]
    ticks: tuple[Tick, ...]
    settled: tuple[Select, ...]
    any_settled: bool


class DecisionLine(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of class of a module with the group that is attended, empty while it is open."""

    entry_id: str
    module: str
    colour: Colour
    kind: str
    attended: str
    number: int


class GroupsScreen(msgspec.Struct, frozen=True, kw_only=True):
    """`current` is None while a decision is open. `not_proven`: a better combination may exist."""

    title: str
    cards: tuple[ProposalCard, ...]
    current: Verdict | None
    wishes: WishForm
    decisions: tuple[DecisionLine, ...]
    clashes: tuple[ClashLine, ...]
    not_proven: bool


class AlternativeCard(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    when: tuple[str, ...]
    verdict: Verdict
    chosen: bool
    fields: tuple[str, ...]


class AlternativesScreen(msgspec.Struct, frozen=True, kw_only=True):
    """The groups of one decision."""

    title: str
    colour: Colour
    cards: tuple[AlternativeCard, ...]


class GroupsSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What the first page says of groups and clashes. `open`: kinds of class of which the group is not chosen."""

    open: int
    clashes: int


def groups_summary(assembly: CalendarAssembly) -> GroupsSummary | None:
    """None where a schedule leaves no choice and has no clash."""
    left = sum(decision.is_open for decision in decisions(assembly.visible))
    clashes = sum(not clash.dismissed for clash in settled_clashes(assembly))
    return GroupsSummary(open=left, clashes=clashes) if open_entries(all_groups(assembly)) or clashes else None


def choosable(assembly: CalendarAssembly) -> frozenset[str]:
    """The entries of which another group can be attended, those of hidden modules included."""
    hidden = assembly.calendar.choices.hidden_events
    return open_entries((entry_id, event) for entry_id, event in assembly.named if entry_id not in hidden)


def groups_screen(assembly: CalendarAssembly, found: GroupProposals) -> GroupsScreen:
    """The screen for a calendar and the proposals for it."""
    named = all_groups(assembly)
    shown = [decision for decision in decisions(named) if decision.is_open]
    return GroupsScreen(
        title=_title(found)
        if shown
        else "Your schedule prints one group of each class, so there is nothing to choose.",
        cards=tuple(_card(assembly, proposal, found.current) for proposal in found.best) if shown else (),
        current=_verdict(assembly, found.current) if found.current else None,
        wishes=_wish_form(assembly.calendar.planning.wishes, named, shown),
        decisions=tuple(_decision_line(assembly, decision, dict(named)) for decision in shown),
        clashes=tuple(
            _clash_line(assembly, clash, clash_id=clash.id, dismissed=clash.dismissed)
            for clash in settled_clashes(assembly)
        ),
        not_proven=not found.fewest_clashes_proven,
    )


def alternatives_screen(
    assembly: CalendarAssembly, decision: Decision, found: Sequence[Alternative]
) -> AlternativesScreen:
    """The screen with the alternatives to one decision."""
    events = dict(assembly.named)
    return AlternativesScreen(
        title=f"{decision.module}: {_kind(decision).lower()}",
        colour=_colour(assembly, decision.module),
        cards=tuple(
            AlternativeCard(
                name=item.group.name,
                when=_times(item.group, events),
                verdict=_verdict(assembly, item.qualities, of=item.group),
                chosen=item.chosen,
                fields=_fields(item.groups, {decision.module}),
            )
            for item in found
        ),
    )


def wishes_from_form(form: Sequence[tuple[str, str]]) -> Wishes:
    """What is not in the form is not wished. Unknown values are refused where the calendar is saved."""
    values = dict(form)
    free_day, start = values.get("free_day", ""), values.get("not_before", "")
    languages = dict(_pair(value) for name, value in form if name == "language" and all(_pair(value)))
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in form:
        module, group = _pair(value)
        if name == "settled" and module and group:
            groups[module].append(group)
    return Wishes(
        free_days=tuple(day for day in DAYS if day == free_day),
        fewest_days=free_day == ANY_DAY,
        not_before=start if start in _STARTS else None,
        few_gaps="few_gaps" in values,
        travel="travel" in values or "travel_hidden" in values,
        one_campus="one_campus" in values,
        languages=languages,
        groups={module: tuple(names) for module, names in groups.items()},
    )


def groups_from_form(form: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    """The groups that a card's fields name, by module."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for name, value in form:
        module, group = _pair(value)
        if name == "take" and module and group:
            groups[module].append(group)
    return {module: tuple(names) for module, names in groups.items()}


def _pair(value: str) -> tuple[str, str]:
    module, _, name = value.rpartition(SEPARATOR)
    return module, name


def _title(found: GroupProposals) -> str:
    number = f"{found.combinations:,}"
    if found.best[0].qualities.clash_weeks:
        if found.fewest_clashes_proven:
            return f"None of {number} combinations is free of clashes. These clash least."
        return f"No combination without a clash was found in {number}. These clash least."
    if found.clash_free is None:
        return f"Many of {number} combinations have no clash. These fit your wishes best."
    have = "has" if found.clash_free == 1 else "have"
    return f"{found.clash_free:,} of {number} {_plural(found.combinations, 'combination')} {have} no clash."


def _plural(number: int, word: str) -> str:
    return word if number == 1 else f"{word}s"


def _card(assembly: CalendarAssembly, proposal: GroupProposal, current: Qualities | None) -> ProposalCard:
    events, attended = dict(assembly.named), assembly.calendar.choices.groups
    modules = {item.decision.module for item in proposal.chosen}
    chosen_now = current is not None and all(proposal.groups[module] == attended.get(module) for module in modules)
    return ProposalCard(
        verdict=_verdict(assembly, proposal.qualities),
        groups=tuple(
            GroupLine(
                module=item.decision.module,
                colour=_colour(assembly, item.decision.module),
                kind=_kind(item.decision),
                name=item.group.name,
                equal=tuple(group.name for group in item.equal),
                when=_times(item.group, events),
            )
            for item in proposal.chosen
        ),
        fields=_fields(proposal.groups, modules),
        current=chosen_now,
    )


def _fields(groups: Mapping[str, Sequence[str]], modules: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"{module}{SEPARATOR}{name}" for module in sorted(modules) for name in groups[module])


def _verdict(assembly: CalendarAssembly, found: Qualities, *, of: Group | None = None) -> Verdict:
    """With `of`, only clashes of this group are named."""
    clashes = [clash for clash in found.clashes if of is None or set(of.entries) & set(clash.events)]
    weeks = len({date - dt.timedelta(days=date.weekday()) for clash in clashes for date in clash.dates})
    return Verdict(
        title=f"Clashes in {weeks} {_plural(weeks, 'week')}" if weeks else "No clash",
        free_of_clashes=not weeks,
        facts=tuple(_facts(found)),
        clashes=tuple(_clash_line(assembly, clash) for clash in clashes),
    )


def _facts(found: Qualities) -> Iterable[str]:
    # Where there is no class at all, there is nothing to say of it.
    if not found.first_start:
        return
    if found.free_days:
        yield f"{_listed(found.free_days)} free"
    yield f"starts at {found.first_start}"
    hours, minutes = divmod(found.gap_minutes_per_week, 60)
    yield f"{hours} h {minutes:02} min of gaps a week" if found.gap_minutes_per_week else "no gaps"
    if found.short_travels:
        yield f"{found.short_travels} times too little time between campuses"
    elif found.campus_days:
        yield f"{found.campus_days} days on several campuses"


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def _clash_line(assembly: CalendarAssembly, clash: Clash, *, clash_id: str = "", dismissed: bool = False) -> ClashLine:
    events: dict[str, Event | OwnEvent] = {**dict(assembly.named), **dict(assembly.own)}
    first, second = (events[entry_id] for entry_id in clash.events)
    start = max(first.start, second.start)
    ends = [event.end for event in (first, second) if not isinstance(event, Exam)]
    hours = f"{start}–{min(ends)}" if ends else f"from {start}"  # noqa: RUF001 - a range
    dates = list(clash.dates)
    weekdays = {weekday_of(date) for date in dates}
    if len(dates) == 1:
        when = f"{dates[0]:%a} {_date(dates[0])}, {hours}"
    else:
        days = f"{weekdays.pop()}s" if len(weekdays) == 1 else "Several days"
        when = f"{days} {hours}, {len(dates)} times from {_date(dates[0])} to {_date(dates[-1])}"
    return ClashLine(
        what=" and ".join(sorted(map(_name, (first, second)))),
        when=when,
        dates=tuple(map(_date, dates)) if len(dates) > 1 else (),
        id=clash_id,
        dismissed=dismissed,
    )


def _name(event: Event | OwnEvent) -> str:
    return event.title if isinstance(event, OwnEvent) else summary(event)


def _date(date: dt.date) -> str:
    return f"{date.day} {date:%b}"


def _times(group: Group, events: Mapping[str, Event]) -> tuple[str, ...]:
    classes = [event for key in group.entries if isinstance(event := events[key], Lecture)]
    classes.sort(key=lambda event: (DAYS.index(event.day), event.start))
    return tuple(f"{event.day[:3]} {event.start}–{event.end}" for event in classes)  # noqa: RUF001 - a range


def _kind(decision: Decision) -> str:
    return _KINDS.get(decision.kind, f"Classes {decision.kind}")


def _colour(assembly: CalendarAssembly, module: str) -> Colour:
    return assembly.calendar.choices.colours.get(module) or colour_of(module)


def _decision_line(assembly: CalendarAssembly, decision: Decision, events: Mapping[str, Event]) -> DecisionLine:
    attended = selected(decision, assembly.calendar.choices.groups.get(decision.module), events)
    return DecisionLine(
        entry_id=(attended or decision.groups)[0].entries[0],
        module=decision.module,
        colour=_colour(assembly, decision.module),
        kind=_kind(decision),
        attended=attended[0].name if len(attended) == 1 else "",
        number=len(decision.groups),
    )


def _wish_form(wishes: Wishes, named: Sequence[tuple[str, Event]], shown: Sequence[Decision]) -> WishForm:
    free = (("", "Not needed"), (ANY_DAY, "Any day"), *((day, day) for day in DAYS[:_WORKING_DAYS]))
    starts = (("", "At any time"), *((start, start) for start in _STARTS))
    selects = [
        Select(name="free_day", id="wish-free-day", label="A free day", options=free,
               chosen=ANY_DAY if wishes.fewest_days else next(iter(wishes.free_days), "")),
        Select(name="not_before", id="wish-not-before", label="Start not before", options=starts,
               chosen=wishes.not_before or ""),
        *_languages(wishes, shown),
    ]  # fmt: skip
    campuses = {campus_of(event) for _, event in named if isinstance(event, Lecture)} - {""}
    ticks = [Tick(name="few_gaps", label="Few gaps", ticked=wishes.few_gaps)]
    if len(campuses) > 1:
        ticks.append(Tick(name="travel", label="Time to travel between campuses", ticked=wishes.travel))
        ticks.append(Tick(name="one_campus", label="One campus a day", ticked=wishes.one_campus))
    return WishForm(
        selects=tuple(selects),
        ticks=tuple(ticks),
        settled=tuple(_settled(wishes, decision) for decision in shown),
        any_settled=bool(wishes.groups),
    )


def _languages(wishes: Wishes, shown: Iterable[Decision]) -> Iterable[Select]:
    spoken: defaultdict[str, set[str]] = defaultdict(set)
    for decision in shown:
        spoken[decision.module].update(group.language for group in decision.groups if group.language)
    for module, languages in spoken.items():
        if len(languages) > 1:
            options = [(f"{module}{SEPARATOR}{code}", _LANGUAGES.get(code, code)) for code in sorted(languages)]
            yield Select(
                name="language",
                id=f"wish-language-{module}",
                label=f"Language of {module}",
                options=((f"{module}{SEPARATOR}", "Any"), *options),
                chosen=f"{module}{SEPARATOR}{wishes.languages.get(module, '')}",
            )


def _settled(wishes: Wishes, decision: Decision) -> Select:
    names = sorted({group.name for group in decision.groups})
    chosen = next((name for name in names if name in wishes.groups.get(decision.module, ())), "")
    return Select(
        name="settled",
        id=f"settled-{decision.module}-{decision.kind}-{names[0]}",
        label=f"{_kind(decision)} of {decision.module}",
        options=(
            (f"{decision.module}{SEPARATOR}", "Any"),
            *((f"{decision.module}{SEPARATOR}{name}", name) for name in names),
        ),
        chosen=f"{decision.module}{SEPARATOR}{chosen}",
    )
