"""Formats all dates of a calendar as a table for other programs. Pure functions."""

import csv
import datetime as dt
import io
from typing import cast

import msgspec

from upschedule.web.pages.days import Plan

#: A spreadsheet takes a cell that begins with one of these for a formula, and the texts come from files.
_FORMULAS = ("=", "+", "-", "@", "\t", "\r")


class ExportedDate(msgspec.Struct, frozen=True, kw_only=True):
    """One row. `kind`: class, test, exam or own; `end_assumed`: the schedule prints no end.

    `name` and `note` are the owner's.
    """

    date: dt.date
    weekday: str
    start: str
    end: str
    kind: str
    module: str
    title: str
    group: str
    venues: tuple[str, ...]
    campus: str
    end_assumed: bool
    clashes: bool
    notes: tuple[str, ...]
    name: str
    note: str


def exported(plan: Plan | None) -> tuple[ExportedDate, ...]:
    """The rows in time order. Empty for a calendar without dates."""
    if plan is None:
        return ()
    return tuple(
        ExportedDate(
            date=day.date,
            weekday=f"{day.date:%A}",
            start=item.start,
            end=item.end,
            kind=item.kind.lower() or "class",
            module=item.module,
            title=item.title,
            group=item.group,
            venues=item.venues,
            campus=item.campus,
            end_assumed=item.end_assumed,
            clashes=item.clashes,
            notes=item.notes,
            name=item.name,
            note=item.note,
        )
        for day in plan.between(plan.first, plan.last)
        for item in day.items
    )


def as_csv(rows: tuple[ExportedDate, ...]) -> bytes:
    """CSV by RFC 4180 in UTF-8, with a byte order mark, by which spreadsheets recognise the encoding."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(ExportedDate.__struct_fields__)
    for row in rows:
        writer.writerow([_cell(getattr(row, name)) for name in ExportedDate.__struct_fields__])
    return text.getvalue().encode("utf-8-sig")


def as_json(rows: tuple[ExportedDate, ...]) -> bytes:
    return msgspec.json.encode({"dates": rows})


def _cell(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    # The annotation of a row: a tuple holds texts.
    text = "; ".join(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else str(value)
    return f"'{text}" if text.startswith(_FORMULAS) else text
