"""Builds the screens for editing entries, and parses their forms into edits. Pure functions."""

import datetime as dt
import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import cast, get_args
from uuid import UUID

import msgspec

from upschedule.calendars.assembly import CalendarAssembly
from upschedule.calendars.errors import CalendarChanged, InvalidCalendar
from upschedule.calendars.model import NAME_MAX, NAMES_MAX, Choices
from upschedule.errors import FieldError
from upschedule.planning.groups import attends
from upschedule.timetable.colours import COLOURS, Colour, colour_of
from upschedule.timetable.edits import Edit, Edits, OwnEvent
from upschedule.timetable.event import DAYS, Day, Event, Lecture
from upschedule.timetable.reminders import DEFAULT_REMINDERS, Reminders
from upschedule.timetable.text import EntryKind, kind_of, location, summary, times
from upschedule.web.pages.evidence import Evidence, evidence_of

#: The value of a choice that leaves the reminders of the kind.
AS_KIND = "kind"
_REMINDERS: tuple[Reminders, ...] = ((), (15,), (30,), (60,), (120,), (1440,), (1440, 60), (10080,))
_KIND_LABELS: Mapping[EntryKind, str] = {
    "lecture": "Lectures", "practical": "Practicals", "tutorial": "Tutorials", "test": "Tests", "exam": "Exams",
}  # fmt: skip
_UNITS = ((10080, "week"), (1440, "day"), (60, "hour"), (1, "minute"))
_BASIS_DIGITS = 16

_COLOUR_LABELS: Mapping[Colour, str] = {
    "darkorange": "dark orange", "olivedrab": "olive", "seagreen": "sea green", "steelblue": "steel blue",
    "royalblue": "royal blue", "slateblue": "slate blue", "mediumorchid": "orchid", "palevioletred": "pink",
}  # fmt: skip


class Option(msgspec.Struct, frozen=True, kw_only=True):
    """A value that can be chosen."""

    value: str
    label: str
    chosen: bool


class EntryLine(msgspec.Struct, frozen=True, kw_only=True):
    """An entry in the list. `mark` says how it differs from the printed one."""

    id: str
    title: str
    when: str
    where: str
    shown: bool
    mark: str


class ModuleLines(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    colour: Colour
    lines: tuple[EntryLine, ...]


class EntriesScreen(msgspec.Struct, frozen=True, kw_only=True):
    """All entries of the attended modules and groups, and those that the owner added."""

    modules: tuple[ModuleLines, ...]
    own: tuple[EntryLine, ...]
    last_edit: str


class EntryScreen(msgspec.Struct, frozen=True, kw_only=True):
    """The form of an entry. `values` are the contents of its fields, by their names.

    `sort`: `class`, `dated` or `own`. `id` is empty for an entry that is being added. `printed` is what the schedule
    says, and `evidence` where it says so (None for the owner's own entries). `basis` identifies the edit that the form
    was rendered from. `colour_of_all` names the module whose entries all have the colour.
    """

    id: str
    title: str
    colour: Colour
    colours: tuple[Option, ...]
    colour_of_all: str
    sort: str
    values: Mapping[str, str]
    days: tuple[str, ...]
    reminders: tuple[Option, ...]
    printed: tuple[str, ...]
    evidence: Evidence | None
    edited: bool
    hidden: bool
    basis: str


class ReminderKind(msgspec.Struct, frozen=True, kw_only=True):
    """`value` is the kind of entry, `shown` is the chosen reminder."""

    value: str
    label: str
    shown: str
    options: tuple[Option, ...]


def entries_screen(assembly: CalendarAssembly) -> EntriesScreen:
    """The entries sorted by module and time."""
    choices, edits = assembly.calendar.choices, assembly.calendar.edits
    shown = {entry_id for entry_id, _ in assembly.visible}
    by_module: defaultdict[str, list[tuple[str, Event]]] = defaultdict(list)
    for entry_id, event in assembly.named:
        if entry_id in shown or (entry_id in choices.hidden_events and _is_attended(event, choices)):
            by_module[event.module].append((entry_id, event))
    last_edit = assembly.calendar.last_edit
    return EntriesScreen(
        modules=tuple(
            ModuleLines(
                name=module,
                colour=choices.colours.get(module) or colour_of(module),
                lines=tuple(
                    _line(entry_id, event, edits.entries.get(entry_id), shown=entry_id in shown)
                    for entry_id, event in sorted(entries, key=_order)
                ),
            )
            for module, entries in sorted(by_module.items())
        ),
        own=tuple(_own_line(entry_id, own) for entry_id, own in assembly.own),
        last_edit=last_edit.title if last_edit else "",
    )


def entry_screen(assembly: CalendarAssembly, entry_id: str, files: Mapping[UUID, str]) -> EntryScreen | None:
    """The form of an entry; None for an id that is not in the calendar. `files` are the names of the documents."""
    own = dict(assembly.own).get(entry_id)
    if own is not None:
        return _own_screen(entry_id, own, assembly.calendar.choices.colours)
    printed = assembly.printed.get(entry_id)
    if printed is None:
        return None
    edit = assembly.calendar.edits.entries.get(entry_id)
    choices, event = assembly.calendar.choices, dict(assembly.named)[entry_id]
    kind = kind_of(printed)
    colour = choices.colours.get(printed.module) or colour_of(printed.module)
    of_kind = choices.reminders.get(kind, DEFAULT_REMINDERS[kind])
    chosen = AS_KIND if edit is None or edit.reminders is None else _value(edit.reminders)
    return EntryScreen(
        id=entry_id,
        title=summary(printed),
        colour=colour,
        colours=_colours(colour),
        colour_of_all=printed.module,
        sort="class" if isinstance(printed, Lecture) else "dated",
        values={
            "title": (edit.title or "") if edit else "",
            "day": event.day if isinstance(event, Lecture) else "",
            "date": "" if isinstance(event, Lecture) else event.date.isoformat(),
            "start": event.start,
            "end": (edit.end if edit else None) or assembly.printed_end(entry_id),
            "place": "; ".join(event.venues),
            "note": edit.note if edit else "",
        },
        days=DAYS,
        reminders=(
            Option(value=AS_KIND, label=f"As for {_KIND_LABELS[kind].lower()}: {_label(of_kind).lower()}",
                   chosen=chosen == AS_KIND),
            *_options(chosen),
        ),
        printed=(times(printed), location(printed) or "no venue"),
        evidence=evidence_of(assembly, entry_id, files),
        edited=edit is not None,
        hidden=entry_id in choices.hidden_events,
        basis=basis_of_entry(edit),
    )  # fmt: skip


def new_screen() -> EntryScreen:
    """The form for adding an entry."""
    return _own_screen("", None, {})


def with_values(screen: EntryScreen, form: Mapping[str, str]) -> EntryScreen:
    """The form as it was submitted, after it was refused."""
    values = {name: form.get(name, value) for name, value in screen.values.items()}
    reminders = tuple(
        msgspec.structs.replace(option, chosen=option.value == form.get("reminder")) for option in screen.reminders
    )
    colours = tuple(
        msgspec.structs.replace(option, chosen=option.value == form.get("colour", screen.colour))
        for option in screen.colours
    )
    return msgspec.structs.replace(screen, values=values, reminders=reminders, colours=colours)


def colours_from_form(form: Mapping[str, str], assembly: CalendarAssembly, entry_id: str) -> dict[str, Colour]:
    """The colours of the calendar with the colour from the form.

    It is the colour of the entry's module, or of the owner's entry by its name. A form whose colour is unchanged
    changes the colours only if the owner renames an own entry: the entry keeps its colour.
    """
    colours = dict(assembly.calendar.choices.colours)
    printed, own = assembly.printed.get(entry_id), dict(assembly.own).get(entry_id)
    name = printed.module if printed else form.get("title", "").strip()
    offered: Mapping[str, Colour] = {colour: colour for colour in COLOURS}
    chosen = offered.get(form.get("colour", ""))
    keeps = chosen == form.get("shown-colour") and (own is None or own.title == name)
    taken = printed is None and any(event.module == name for event in assembly.printed.values())
    fits = 0 < len(name) <= NAME_MAX and len(colours | {name: chosen}) <= NAMES_MAX
    if chosen and fits and not keeps and not taken:
        colours[name] = chosen
    return colours


def reminder_kinds(choices: Choices) -> tuple[ReminderKind, ...]:
    """The chosen reminders of each kind."""
    found: list[ReminderKind] = []
    for kind, label in _KIND_LABELS.items():
        value = _value(choices.reminders.get(kind, DEFAULT_REMINDERS[kind]))
        found.append(ReminderKind(value=kind, label=label, shown=value, options=_options(value)))
    return tuple(found)


def reminders_from_form(form: Mapping[str, str], before: Choices) -> Choices:
    """The reminders `before`, with the kinds that the student changed in the form."""
    reminders = dict(before.reminders)
    for kind in _KIND_LABELS:
        if kind in form and form[kind] != form.get(f"shown-{kind}"):
            reminders[kind] = _reminders(form[kind])
            if reminders[kind] == DEFAULT_REMINDERS[kind]:
                del reminders[kind]
    return msgspec.structs.replace(before, reminders=reminders)


def edit_from_form(assembly: CalendarAssembly, entry_id: str, form: Mapping[str, str]) -> Edits:
    """The edits with the one that the form describes. A field that is as printed is no edit.

    Raises CalendarChanged if the entry was edited elsewhere since the form was rendered, and InvalidCalendar.
    """
    edits, printed = assembly.calendar.edits, assembly.printed[entry_id]
    before = edits.entries.get(entry_id)
    _check_basis(form, before)
    start, end = _time(form, "start"), _time(form, "end")
    moved = (start, end) != (printed.start, assembly.printed_end(entry_id))
    place, title, note = form.get("place", "").strip(), form.get("title", "").strip(), form.get("note", "").strip()
    edit = Edit(
        title=title if title not in {"", summary(printed)} else None,
        day=_day(form, printed),
        date=_date(form, "date") if _is_other_date(form, printed) else None,
        start=start if moved else None,
        end=end if moved else None,
        place=place if place != "; ".join(printed.venues) else None,
        note=note,
        reminders=None if form.get("reminder", AS_KIND) == AS_KIND else _reminders(form["reminder"]),
    )
    entries = {key: value for key, value in edits.entries.items() if key != entry_id}
    return msgspec.structs.replace(edits, entries=entries if edit == Edit() else entries | {entry_id: edit})


def without_edit(edits: Edits, entry_id: str) -> Edits:
    """The edits without those of this entry, which is then as printed again."""
    entries = {key: value for key, value in edits.entries.items() if key != entry_id}
    return msgspec.structs.replace(edits, entries=entries)


def own_from_form(edits: Edits, own: OwnEvent | None, form: Mapping[str, str], *, new_id: str) -> Edits:
    """The edits with the entry that the form describes: `own` with its changes, or a new one.

    Raises CalendarChanged and InvalidCalendar.
    """
    if own:
        _check_basis(form, own)
    title, until = form.get("title", "").strip(), form.get("until", "")
    if not title:
        raise InvalidCalendar((FieldError(field="title", detail="Give it a name."),))
    made = OwnEvent(
        id=own.id if own else new_id,
        title=title,
        date=_date(form, "date"),
        start=_time(form, "start"),
        end=_time(form, "end"),
        weekly_until=_date(form, "until") if until else None,
        place=form.get("place", "").strip(),
        note=form.get("note", "").strip(),
        reminders=_reminders(form.get("reminder", "")),
    )
    if own:
        return msgspec.structs.replace(edits, own=tuple(made if item.id == own.id else item for item in edits.own))
    return msgspec.structs.replace(edits, own=(*edits.own, made))


def without_own(edits: Edits, own: OwnEvent) -> Edits:
    """The edits without this entry of the owner."""
    return msgspec.structs.replace(edits, own=tuple(item for item in edits.own if item.id != own.id))


def hidden_after(form: Sequence[tuple[str, str]], assembly: CalendarAssembly) -> tuple[str, ...]:
    """The hidden entries after the list was submitted.

    Only the entries that the student changed in the list are changed.
    """
    shown = {value for name, value in form if name == "shown"}
    ticked = {value for name, value in form if name == "show"}
    unticked = (shown - ticked) & assembly.printed.keys()
    return tuple(sorted((set(assembly.calendar.choices.hidden_events) | unticked) - (ticked - shown)))


def basis_of_entry(edit: Edit | OwnEvent | None) -> str:
    """Identifies an edit in a form, so that the form does not overwrite a later edit."""
    return hashlib.sha256(msgspec.json.encode(edit)).hexdigest()[:_BASIS_DIGITS]


def by_field(refused: InvalidCalendar) -> InvalidCalendar:
    """The errors by the names of the form's fields."""
    names = {"weekly_until": "until"}
    errors = (
        FieldError(field=names.get(name, name), detail=error.detail)
        for error in refused.errors
        if (name := error.field.rpartition(".")[2])
    )
    return InvalidCalendar(tuple(errors))


def _own_screen(entry_id: str, own: OwnEvent | None, colours: Mapping[str, Colour]) -> EntryScreen:
    title = own.title if own else ""
    colour = colours.get(title) or colour_of(title)
    return EntryScreen(
        id=entry_id,
        title=own.title if own else "An entry of your own",
        colour=colour,
        colours=_colours(colour),
        colour_of_all="",
        sort="own",
        values={
            "title": own.title if own else "",
            "date": own.date.isoformat() if own else "",
            "start": own.start if own else "",
            "end": own.end if own else "",
            "until": own.weekly_until.isoformat() if own and own.weekly_until else "",
            "place": own.place if own else "",
            "note": own.note if own else "",
        },
        days=(),
        reminders=_options(_value(own.reminders) if own else ""),
        printed=(),
        evidence=None,
        edited=False,
        hidden=False,
        basis=basis_of_entry(own),
    )


def _line(entry_id: str, event: Event, edit: Edit | None, *, shown: bool) -> EntryLine:
    return EntryLine(
        id=entry_id,
        title=(edit.title if edit else None) or summary(event),
        when=times(event),
        where=location(event),
        shown=shown,
        mark="edited" if edit else "",
    )


def _own_line(entry_id: str, own: OwnEvent) -> EntryLine:
    when = f"{own.date:%A} {own.date.day} {own.date:%B %Y}, {own.start} to {own.end}"
    mark = f"weekly until {own.weekly_until.day} {own.weekly_until:%B %Y}" if own.weekly_until else ""
    return EntryLine(id=entry_id, title=own.title, when=when, where=own.place, shown=True, mark=mark)


def _order(named: tuple[str, Event]) -> tuple[str, ...]:
    entry_id, event = named
    if isinstance(event, Lecture):
        return ("", str(DAYS.index(event.day)), event.start, entry_id)
    return (event.date.isoformat(), event.start, entry_id)


def _is_attended(event: Event, choices: Choices) -> bool:
    attended = choices.groups.get(event.module)
    is_shown = attended is None or not isinstance(event, Lecture) or attends(event, attended)
    return is_shown and event.module not in choices.hidden_modules


def _check_basis(form: Mapping[str, str], before: Edit | OwnEvent | None) -> None:
    if form.get("basis") != basis_of_entry(before):
        raise CalendarChanged


def _is_other_date(form: Mapping[str, str], printed: Event) -> bool:
    return not isinstance(printed, Lecture) and form.get("date") != printed.date.isoformat()


def _day(form: Mapping[str, str], printed: Event) -> Day | None:
    chosen = form.get("day")
    if not isinstance(printed, Lecture) or chosen == printed.day or chosen not in get_args(Day):
        return None
    return cast("Day", chosen)


def _date(form: Mapping[str, str], field: str) -> dt.date:
    try:
        return dt.date.fromisoformat(form.get(field, ""))
    except ValueError as error:
        raise InvalidCalendar((FieldError(field=field, detail="Give a date."),)) from error


def _time(form: Mapping[str, str], field: str) -> str:
    try:
        return f"{dt.time.fromisoformat(form.get(field, '')):%H:%M}"
    except ValueError as error:
        raise InvalidCalendar((FieldError(field=field, detail="Give a time, such as 08:30."),)) from error


def _reminders(value: str) -> Reminders:
    """Parses the reminders. Raises InvalidCalendar; the limits are those of the calendar."""
    parts = [part for part in value.split(",") if part]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise InvalidCalendar((FieldError(field="reminder", detail="Choose one of the reminders."),))
    return tuple(map(int, parts))


def _colours(chosen: Colour) -> tuple[Option, ...]:
    return tuple(Option(value=name, label=_COLOUR_LABELS.get(name, name), chosen=name == chosen) for name in COLOURS)


def _value(reminders: Reminders) -> str:
    return ",".join(map(str, reminders))


def _options(chosen: str) -> tuple[Option, ...]:
    """The usual options, and the chosen one if it is not among them."""
    usual = list(_REMINDERS)
    if chosen != AS_KIND and (given := _reminders(chosen)) not in usual:
        usual.append(given)
    return tuple(Option(value=_value(item), label=_label(item), chosen=_value(item) == chosen) for item in usual)


def _label(reminders: Reminders) -> str:
    return f"{' and '.join(map(_duration, reminders))} before" if reminders else "No reminder"


def _duration(minutes: int) -> str:
    size, unit = next((size, unit) for size, unit in _UNITS if minutes % size == 0)
    number = minutes // size
    return f"{number} {unit}{'' if number == 1 else 's'}"
