"""Creating, changing and deleting calendars."""

import datetime as dt
import uuid

import pytest

from tests.integration.calendars.conftest import LIMITS, Campus, Clock
from tests.support.builders.timetable import exam, lecture, period, semester_test
from upschedule.calendars.errors import (
    CalendarChanged,
    CalendarNotFound,
    DatesMissing,
    InvalidCalendar,
    ScheduleNotRead,
    TooManyCalendars,
    YearNotFound,
)
from upschedule.calendars.model import Changes, Choices, Document, YearChoice
from upschedule.calendars.service import CalendarService, OwnedCalendar
from upschedule.calendars.warnings import warnings
from upschedule.calendars.years import AcademicYearConfig, AcademicYearStore
from upschedule.stores.database import Database
from upschedule.timetable.academic_year import YearDates
from upschedule.timetable.event import Lecture

OWN_S2 = YearDates(terms={"S2": period("2025-07-21", "2025-10-31")}, recesses=())


async def test_jobs_are_joined_and_repeated_entries_are_one(calendars: CalendarService, campus: Campus) -> None:
    person = campus.account()
    jobs = (campus.job(person, [lecture(), exam()]), campus.job(person, [exam(), semester_test()]))

    assembly = (await calendars.create(person, job_ids=jobs, limits=LIMITS)).assembly

    assert len(assembly.named) == 3
    assert assembly.source_of(exam()) == jobs[1]


async def test_the_year_is_that_of_the_dated_entries(calendars: CalendarService, campus: Campus) -> None:
    """Lectures print no year."""
    person = campus.account()
    job = campus.job(person, [lecture(), semester_test(date=dt.date(2025, 3, 15))])

    assert (await calendars.create(person, job_ids=(job,), limits=LIMITS)).assembly.year.year == 2025


async def test_the_year_follows_a_document_that_joins_later(calendars: CalendarService, campus: Campus) -> None:
    """Students often upload their lectures first. The year is known only with the tests."""
    person = campus.account()
    lectures, tests = campus.job(person, [lecture()]), campus.job(person, [semester_test(date=dt.date(2025, 3, 15))])
    created = (await calendars.create(person, job_ids=(lectures,), limits=LIMITS)).assembly
    joined = await calendars.change(person, created.calendar.id, Changes(job_ids=(lectures, tests)), limits=LIMITS)

    assert (created.year.year, created.calendar.name) == (2026, "UP timetable 2026")
    assert (joined.assembly.year.year, joined.assembly.calendar.name) == (2025, "UP timetable 2025")


@pytest.mark.parametrize("choice", [YearChoice(year=2026), YearChoice(dates=YearDates(recesses=()))])
async def test_a_year_that_its_owner_chose_stays(
    calendars: CalendarService, campus: Campus, choice: YearChoice
) -> None:
    """The owner names the year or sets dates within it. Other changes do not affect it."""
    person = campus.account()
    lectures, tests = campus.job(person, [lecture()]), campus.job(person, [semester_test(date=dt.date(2025, 3, 15))])
    created = await calendars.create(person, job_ids=(lectures,), academic_year=choice, limits=LIMITS)
    await calendars.change(person, created.assembly.calendar.id, Changes(name="Mine"), limits=LIMITS)
    joined = await calendars.change(
        person, created.assembly.calendar.id, Changes(job_ids=(lectures, tests)), limits=LIMITS
    )

    assert joined.assembly.year.year == 2026


async def test_without_dated_entries_the_year_is_the_present_one_in_south_africa(
    calendars: CalendarService, campus: Campus, clock: Clock
) -> None:
    """At 22:30 UTC on 31 December the new year has begun there. Its dates are not known yet."""
    clock.time = dt.datetime(2026, 12, 31, 22, 30, tzinfo=dt.UTC)
    person = campus.account()

    with pytest.raises(DatesMissing) as caught:
        await calendars.create(person, job_ids=(campus.job(person, [lecture()]),), limits=LIMITS)

    (error,) = caught.value.errors
    assert error.field == "academic_year.terms.S1"
    assert "2027" in error.detail


async def test_a_year_without_data_needs_the_dates_of_the_terms_that_are_taught(
    calendars: CalendarService, campus: Campus
) -> None:
    person = campus.account()
    job = campus.job(person, [lecture(offered="Q1"), lecture(offered="Y", activity="L2"), exam()])

    with pytest.raises(DatesMissing) as caught:
        await calendars.create(person, job_ids=(job,), academic_year=YearChoice(year=2031), limits=LIMITS)

    assert [error.field.rpartition(".")[2] for error in caught.value.errors] == ["Q1", "S1", "S2"]


async def test_dates_that_are_not_known_are_estimated_only_for_those_who_ask(
    calendars: CalendarService, campus: Campus, store: Database, clock: Clock
) -> None:
    """Dates of an operator replace the estimate without an action of the owner."""
    person = campus.account()
    jobs = (campus.job(person, [lecture(), semester_test(date=dt.date(2027, 3, 13))]),)
    with pytest.raises(DatesMissing):
        await calendars.create(person, job_ids=jobs, limits=LIMITS)

    created = (await calendars.create(person, job_ids=jobs, estimate_dates=True, limits=LIMITS)).assembly
    calendar_id = created.calendar.id
    found = await calendars.get(person, calendar_id)
    changed = await calendars.change(person, calendar_id, Changes(name="Mine"), limits=LIMITS)

    assert created.estimated_terms == found.assembly.estimated_terms == changed.assembly.estimated_terms == ("S1",)
    assert created.year.periods("S1") == (period("2027-02-08", "2027-05-21"),)
    with pytest.raises(DatesMissing):
        await calendars.change(person, calendar_id, Changes(estimate_dates=False), limits=LIMITS)

    config = AcademicYearConfig(
        source="UP yearbook", confirmed=True, dates=YearDates(terms={"S1": period("2027-02-15", "2027-05-28")})
    )
    await AcademicYearStore(store, now=clock.now).upsert(2027, config)
    entered = (await calendars.get(person, calendar_id)).assembly
    assert (entered.estimated_terms, entered.dates_confirmed) == ((), True)
    assert entered.year.periods("S1") == (period("2027-02-15", "2027-05-28"),)
    assert [entry_id for entry_id, _ in entered.named] == [entry_id for entry_id, _ in created.named]


async def test_a_draft_is_what_would_be_made_and_makes_nothing(calendars: CalendarService, campus: Campus) -> None:
    person = campus.account()
    documents = (Document(job_id=uuid.uuid4(), events=(lecture(), exam(date=dt.date(2031, 6, 3))), warnings=()),)

    draft = await calendars.draft(person, documents)

    assert (draft.year.year, draft.estimated_terms) == (2031, ("S1",))
    assert await calendars.recent(person) == []
    assert [preview.year for preview in (await calendars.advise(draft)).years] == [2026, 2027, 2031]


async def test_tests_and_exams_need_no_dates(calendars: CalendarService, campus: Campus) -> None:
    person = campus.account()
    job = campus.job(person, [exam(date=dt.date(2031, 6, 3))])

    assembly = (await calendars.create(person, job_ids=(job,), limits=LIMITS)).assembly

    assert assembly.year.year == 2031
    assert [len(dates) for dates in assembly.occurrences.values()] == [1]
    assert warnings(assembly) == ()


async def test_shipped_dates_are_not_confirmed_and_own_dates_are(calendars: CalendarService, campus: Campus) -> None:
    person = campus.account()
    job = campus.job(person, [lecture(offered="S2")])
    shipped = await calendars.create(person, job_ids=(job,), limits=LIMITS)
    own = await calendars.create(
        person, job_ids=(job,), academic_year=YearChoice(year=2025, dates=OWN_S2), limits=LIMITS
    )

    assert [warning.code for warning in warnings(shipped.assembly)] == ["dates-unconfirmed", "recesses-unknown"]
    assert warnings(own.assembly) == ()


async def test_what_was_doubtful_in_reading_or_has_no_dates_is_said(calendars: CalendarService, campus: Campus) -> None:
    person = campus.account()
    doubtful = [{"page": 2, "message": "A venue may be cut off.", "row": 4}]
    job = campus.job(person, [lecture(offered="S3"), exam()], warnings=doubtful)

    found = warnings((await calendars.create(person, job_ids=(job,), limits=LIMITS)).assembly)

    assert [(warning.code, warning.job, warning.page) for warning in found] == [
        ("entry-without-dates", None, None),
        ("reading-doubtful", job, 2),
    ]


@pytest.mark.parametrize(
    ("dates", "field"),
    [
        (YearDates(terms={"S1": period("2026-05-22", "2026-02-09")}), "academic_year.terms.S1.end"),
        (YearDates(terms={"S1": period("2026-02-09", "2026-07-20")}), "academic_year.terms.S2.start"),
        (YearDates(terms={"Q2": period("2026-03-01", "2026-05-22")}), "academic_year.terms.Q2.start"),
    ],
)
async def test_impossible_dates_are_refused_by_field(
    calendars: CalendarService, campus: Campus, dates: YearDates, field: str
) -> None:
    """This includes contradictions with known dates that the request does not set."""
    person = campus.account()
    job = campus.job(person, [lecture()])

    with pytest.raises(InvalidCalendar) as caught:
        await calendars.create(person, job_ids=(job,), academic_year=YearChoice(year=2026, dates=dates), limits=LIMITS)

    assert field in [error.field for error in caught.value.errors]


async def test_jobs_of_others_and_unknown_ones_are_named(calendars: CalendarService, campus: Campus) -> None:
    person = campus.account()
    mine, other = campus.job(person, [exam()]), campus.job(campus.account(), [exam()])

    with pytest.raises(InvalidCalendar) as caught:
        await calendars.create(person, job_ids=(mine, other, uuid.uuid4()), limits=LIMITS)

    assert [error.field for error in caught.value.errors] == ["jobs.1", "jobs.2"]


async def test_a_job_that_is_not_read_yet_cannot_be_joined(calendars: CalendarService, campus: Campus) -> None:
    person = campus.account()
    job = campus.job(person, [])
    campus.execute("UPDATE jobs SET status = 'queued', finished_at = NULL WHERE id = %s", job)

    with pytest.raises(ScheduleNotRead):
        await calendars.create(person, job_ids=(job,), limits=LIMITS)


async def test_the_number_of_calendars_and_of_entries_is_bounded(calendars: CalendarService, campus: Campus) -> None:
    person = campus.account()
    job = campus.job(person, [exam()])
    many = campus.job(person, [exam(paper=str(number)) for number in range(51)])
    with pytest.raises(InvalidCalendar):
        await calendars.create(person, job_ids=(many,), limits=LIMITS)
    for _ in range(3):
        await calendars.create(person, job_ids=(job,), limits=LIMITS)

    with pytest.raises(TooManyCalendars):
        await calendars.create(person, job_ids=(job,), limits=LIMITS)


async def test_changes_leave_alone_what_they_do_not_name(calendars: CalendarService, campus: Campus) -> None:
    person = campus.account()
    job = campus.job(person, [lecture(), lecture(group="G02", day="Tuesday"), exam(module="XYZ 210")])
    created = await calendars.create(
        person, job_ids=(job,), name="Mine", academic_year=YearChoice(year=2025, dates=OWN_S2), limits=LIMITS
    )
    calendar_id = created.assembly.calendar.id
    choices = Choices(groups={"ABC 123": ("G02",)}, hidden_modules=("XYZ 210",), reminders={"lecture": (15,)})
    await calendars.change(person, calendar_id, Changes(choices=choices), limits=LIMITS)
    renamed = (await calendars.change(person, calendar_id, Changes(name="  Renamed\n"), limits=LIMITS)).assembly

    assert renamed.calendar.name == "Renamed"
    assert renamed.calendar.choices == choices
    assert renamed.calendar.dates == OWN_S2
    assert [event.group for _, event in renamed.visible if isinstance(event, Lecture)] == ["G02"]
    assert (await calendars.get(person, calendar_id)).assembly.calendar == renamed.calendar


async def test_a_change_is_checked_like_a_new_calendar(calendars: CalendarService, campus: Campus) -> None:
    person = campus.account()
    owned = await calendars.create(person, job_ids=(campus.job(person, [lecture()]),), limits=LIMITS)
    calendar_id = owned.assembly.calendar.id

    with pytest.raises(DatesMissing):
        await calendars.change(person, calendar_id, Changes(academic_year=YearChoice(year=2040)), limits=LIMITS)
    with pytest.raises(InvalidCalendar):
        await calendars.change(person, calendar_id, Changes(name="\x07"), limits=LIMITS)
    assert (await calendars.get(person, calendar_id)).assembly.calendar == owned.assembly.calendar


async def test_a_calendar_is_its_owners_alone(calendars: CalendarService, campus: Campus) -> None:
    person, stranger = campus.account(), campus.account()
    calendar_id = (
        await calendars.create(person, job_ids=(campus.job(person, [exam()]),), limits=LIMITS)
    ).assembly.calendar.id

    for refused in (
        calendars.get(stranger, calendar_id),
        calendars.change(stranger, calendar_id, Changes(rotate_feed=True), limits=LIMITS),
        calendars.delete(stranger, calendar_id),
    ):
        with pytest.raises(CalendarNotFound):
            await refused
    assert await calendars.recent(stranger) == []
    await calendars.delete(person, calendar_id)
    assert await calendars.recent(person) == []
    assert campus.execute("SELECT count(*) FROM jobs") == [(1,)]


async def test_an_account_goes_with_its_calendars(calendars: CalendarService, campus: Campus) -> None:
    """The trigger that deletes files must not prevent a cascade."""
    person = campus.account()
    await calendars.create(person, job_ids=(campus.job(person, [lecture()]),), limits=LIMITS)
    campus.execute("DELETE FROM accounts WHERE id = %s", person)

    assert campus.execute("SELECT count(*) FROM calendars") == [(0,)]


async def test_the_shipped_years_are_consistent_and_unconfirmed(calendars: CalendarService) -> None:
    years = await calendars.years()

    assert [(year.year, year.confirmed) for year in years] == [(2025, False), (2026, False)]
    assert years[1].dates.terms["S1"] == period("2026-02-09", "2026-05-22")
    assert years[1].dates.terms["S2"] == period("2026-07-13", "2026-10-16")
    assert (await calendars.year(2025)).dates.terms["S2"].start == dt.date(2025, 7, 14)
    with pytest.raises(YearNotFound):
        await calendars.year(2040)


async def test_the_newest_calendar_is_first(calendars: CalendarService, campus: Campus, clock: Clock) -> None:
    person = campus.account()
    job = campus.job(person, [exam()])
    assert await calendars.newest(person) is None
    await calendars.create(person, job_ids=(job,), name="First", limits=LIMITS)
    clock.pass_days(1)
    second = await calendars.create(person, job_ids=(job,), name="Second", limits=LIMITS)

    newest = await calendars.newest(person)

    assert newest is not None
    assert newest.listed == second.listed
    assert [listed.calendar.name for listed in await calendars.recent(person)] == ["Second", "First"]


async def test_a_change_of_an_outdated_version_is_refused(
    calendars: CalendarService, campus: Campus, clock: Clock
) -> None:
    """Nothing changes then. A change with the present version is accepted once."""
    person = campus.account()
    owned = await calendars.create(person, job_ids=(campus.job(person, [lecture()]),), limits=LIMITS)
    calendar_id = owned.assembly.calendar.id

    async def rename(name: str, version: str) -> OwnedCalendar:
        clock.pass_days(1)
        return await calendars.change(person, calendar_id, Changes(name=name), limits=LIMITS, expects=version.__eq__)

    renamed = await rename("Mine", owned.version)
    assert renamed.version != owned.version
    with pytest.raises(CalendarChanged):
        await rename("Ours", owned.version)
    with pytest.raises(CalendarChanged):
        await calendars.delete(person, calendar_id, expects=owned.version.__eq__)
    now = await calendars.get(person, calendar_id)
    assert (now.assembly.calendar.name, now.version) == ("Mine", renamed.version)
