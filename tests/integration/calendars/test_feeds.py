"""The files that calendar programs get, and when they change."""

import asyncio
import datetime as dt
from uuid import UUID

import pytest
from icalendar import Calendar, Event

from tests.integration.calendars.conftest import LIMITS, SECRET, Campus, Clock
from tests.support.builders.timetable import exam, lecture, period, semester_test
from tests.support.calendar_parsers import by_icalendar, by_vobject, content_lines
from tests.support.javascript_parsers import javascript_parsers
from upschedule.calendars.errors import CalendarNotFound, FeedNotFound, ModuleNotInCalendar
from upschedule.calendars.feeds import FeedService
from upschedule.calendars.model import Changes, Choices, YearChoice
from upschedule.calendars.service import CalendarService, OwnedCalendar
from upschedule.timetable.academic_year import YearDates


def _token(owned: OwnedCalendar) -> str:
    return owned.feed_url.removeprefix("https://example.test/calendars/").removesuffix(".ics")


def _entries(body: bytes) -> dict[str, Event]:
    return {str(event["SUMMARY"]): event for event in Calendar.from_ical(body).events}


async def test_a_feed_is_right_for_four_parsers(calendars: CalendarService, feeds: FeedService, campus: Campus) -> None:
    person = campus.account()
    job = campus.job(person, [lecture(), lecture(day="Friday", activity="L2"), semester_test(), exam()])
    owned = await calendars.create(person, job_ids=(job,), limits=LIMITS)

    body = (await feeds.feed(_token(owned))).body

    content_lines(body)
    with javascript_parsers() as parsers:
        others = parsers.starts(body)
    assert by_icalendar(body) == by_vobject(body) == others["ical.js"] == others["node-ical"]
    assert {len(starts) for starts in by_icalendar(body).values()} == {1, 13}
    assert f"SOURCE;VALUE=URI:{owned.feed_url}".encode() in body.replace(b"\r\n ", b"")


async def test_an_unchanged_feed_keeps_its_bytes_and_etag(
    calendars: CalendarService, feeds: FeedService, campus: Campus, clock: Clock
) -> None:
    """Rule 8: this also holds when another process builds it again later from the same rows."""
    person = campus.account()
    owned = await calendars.create(person, job_ids=(campus.job(person, [lecture(), exam()]),), limits=LIMITS)
    first = await feeds.feed(_token(owned))
    clock.pass_days(3)
    campus.execute("DELETE FROM calendar_feeds")

    assert await feeds.feed(_token(owned)) == first


async def test_a_changed_room_keeps_its_uid_and_raises_the_sequence_by_one(
    calendars: CalendarService, feeds: FeedService, campus: Campus, clock: Clock
) -> None:
    """Rules 7 and 8: this happens after a new upload, and only for the entry that changed."""
    person = campus.account()
    owned = await calendars.create(person, job_ids=(campus.job(person, [lecture(), exam()]),), limits=LIMITS)
    before = _entries((await feeds.feed(_token(owned))).body)
    clock.pass_days(1)
    newer = campus.job(person, [lecture(venues=("Elsewhere 1-1",)), exam()])
    await calendars.change(person, owned.assembly.calendar.id, Changes(job_ids=(newer,)), limits=LIMITS)

    after = _entries((await feeds.feed(_token(owned))).body)

    moved, kept = "ABC 123 L1 G01", "ABC 123 exam paper 1"
    assert after[moved]["UID"] == before[moved]["UID"]
    assert (before[moved]["SEQUENCE"], after[moved]["SEQUENCE"]) == (0, 1)
    assert after[moved].decoded("LAST-MODIFIED") == clock.time.replace(microsecond=0)
    assert after[kept] == before[kept]


async def test_the_same_schedule_uploaded_again_changes_nothing(
    calendars: CalendarService, feeds: FeedService, campus: Campus, clock: Clock
) -> None:
    person = campus.account()
    owned = await calendars.create(person, job_ids=(campus.job(person, [lecture(), exam()]),), limits=LIMITS)
    before = _entries((await feeds.feed(_token(owned))).body)
    clock.pass_days(1)
    again = campus.job(person, [exam(page=2), lecture(page=2)])
    await calendars.change(person, owned.assembly.calendar.id, Changes(job_ids=(again,)), limits=LIMITS)

    assert _entries((await feeds.feed(_token(owned))).body) == before


async def test_two_people_with_one_schedule_have_nothing_in_common(
    calendars: CalendarService, feeds: FeedService, campus: Campus
) -> None:
    """Rules 7 and 14 require different UIDs and addresses."""
    found = []
    for person in (campus.account(), campus.account()):
        owned = await calendars.create(person, job_ids=(campus.job(person, [lecture(), exam()]),), limits=LIMITS)
        found.append((_token(owned), set(by_icalendar((await feeds.feed(_token(owned))).body))))

    assert found[0][0] != found[1][0]
    assert not found[0][1] & found[1][1]


async def test_a_removed_entry_leaves_the_feed_and_is_cancelled_in_the_file_for_thirty_days(
    calendars: CalendarService, feeds: FeedService, campus: Campus, clock: Clock
) -> None:
    """Rule 9 requires the cancellation."""
    person = campus.account()
    first, second = campus.job(person, [lecture()]), campus.job(person, [exam()])
    calendar_id = (owned := await calendars.create(person, job_ids=(first, second), limits=LIMITS)).assembly.calendar.id
    await feeds.feed(_token(owned))
    campus.execute("DELETE FROM jobs WHERE id = %s", second)
    clock.pass_days(1)

    assert set(_entries((await feeds.feed(_token(owned))).body)) == {"ABC 123 L1 G01"}
    cancelled = _entries((await feeds.download(person, calendar_id)).body)["ABC 123 exam paper 1"]
    assert (cancelled["STATUS"], cancelled["SEQUENCE"]) == ("CANCELLED", 1)
    clock.pass_days(29)
    assert len(_entries((await feeds.download(person, calendar_id)).body)) == 2
    clock.pass_days(2)
    assert len(_entries((await feeds.download(person, calendar_id)).body)) == 1
    assert campus.execute("SELECT count(*) FROM calendar_entries") == [(1,)]


async def test_a_deleted_document_leaves_the_stored_files_without_a_request(
    calendars: CalendarService, feeds: FeedService, campus: Campus, clock: Clock
) -> None:
    """Deleting a schedule deletes its file at once.

    Its entries are deleted once calendar programs have received the cancellation.
    """
    person = campus.account()
    job = campus.job(person, [lecture(), exam()])
    await feeds.feed(_token(await calendars.create(person, job_ids=(job,), limits=LIMITS)))
    campus.execute("DELETE FROM jobs WHERE id = %s", job)

    assert campus.execute("SELECT count(*) FROM calendar_feeds") == [(0,)]
    await feeds.publish_outdated()
    assert set(campus.execute("SELECT cancelled_at IS NULL FROM calendar_entries")) == {(False,)}
    clock.pass_days(31)
    await feeds.publish_outdated()
    assert campus.execute("SELECT count(*) FROM calendar_entries") == [(0,)]


async def test_an_entry_that_comes_back_is_said_again_with_a_higher_sequence(
    calendars: CalendarService, feeds: FeedService, campus: Campus
) -> None:
    person = campus.account()
    job = campus.job(person, [lecture()])
    owned = await calendars.create(person, job_ids=(job,), limits=LIMITS)
    await feeds.feed(_token(owned))
    sequences = []
    for hidden in (("ABC 123",), ()):
        choices = Choices(hidden_modules=hidden)
        await calendars.change(person, owned.assembly.calendar.id, Changes(choices=choices), limits=LIMITS)
        file = await feeds.download(person, owned.assembly.calendar.id)
        sequences += [(event["STATUS"], event["SEQUENCE"]) for event in _entries(file.body).values()]

    assert sequences == [("CANCELLED", 1), ("CONFIRMED", 2)]


async def test_a_change_of_the_year_by_an_operator_reaches_every_feed(
    calendars: CalendarService, feeds: FeedService, campus: Campus
) -> None:
    person = campus.account()
    owned = await calendars.create(person, job_ids=(campus.job(person, [lecture()]),), limits=LIMITS)
    (before,) = by_icalendar((await feeds.feed(_token(owned))).body).values()
    campus.execute(
        "UPDATE academic_years SET updated_at = clock_timestamp(), "
        """body = body || '{"recesses": [{"start": "2026-03-01", "end": "2026-03-08"}]}' WHERE year = 2026"""
    )

    (after,) = by_icalendar((await feeds.feed(_token(owned))).body).values()

    assert [moment.date() for moment in before if moment not in after] == [dt.date(2026, 3, 2)]


async def test_a_request_of_a_feed_keeps_the_account_from_being_deleted(
    calendars: CalendarService, feeds: FeedService, campus: Campus, clock: Clock
) -> None:
    """The use is stored once a day, since a calendar program sends requests all day."""
    person = campus.account()
    owned = await calendars.create(person, job_ids=(campus.job(person, [lecture()]),), limits=LIMITS)
    campus.execute("UPDATE accounts SET used_at = %s WHERE id = %s", clock.now() - dt.timedelta(days=500), person)

    await feeds.feed(_token(owned))
    first = clock.now()
    clock.time += dt.timedelta(hours=23)
    await feeds.feed(_token(owned))

    assert campus.execute("SELECT used_at FROM accounts WHERE id = %s", person) == [(first,)]


async def test_a_document_read_again_reaches_the_feed(
    calendars: CalendarService, feeds: FeedService, campus: Campus
) -> None:
    person = campus.account()
    job = campus.job(person, [lecture()])
    owned = await calendars.create(person, job_ids=(job,), limits=LIMITS)
    await feeds.feed(_token(owned))
    campus.print(job, [lecture(), exam()])

    assert len(_entries((await feeds.feed(_token(owned))).body)) == 2


async def test_own_dates_hold_for_one_calendar_only(
    calendars: CalendarService, feeds: FeedService, campus: Campus
) -> None:
    person = campus.account()
    job = campus.job(person, [lecture()])
    own = YearChoice(year=2026, dates=YearDates(terms={"S1": period("2026-02-16", "2026-03-06")}))
    mine = await calendars.create(person, job_ids=(job,), academic_year=own, limits=LIMITS)
    usual = await calendars.create(person, job_ids=(job,), limits=LIMITS)

    (short,) = by_icalendar((await feeds.feed(_token(mine))).body).values()
    (long,) = by_icalendar((await feeds.feed(_token(usual))).body).values()

    assert [moment.date().isoformat() for moment in short] == ["2026-02-16", "2026-02-23", "2026-03-02"]
    assert len(long) == 13


async def test_a_feed_of_one_module_has_that_module_only(
    calendars: CalendarService, feeds: FeedService, campus: Campus
) -> None:
    """Rule 11: a module that was never in the calendar is refused, and nothing is stored for it."""
    person = campus.account()
    job = campus.job(person, [lecture(), exam(module="XYZ 210"), semester_test(module="XYZ 210")])
    token = _token(await calendars.create(person, job_ids=(job,), limits=LIMITS))

    assert set(_entries((await feeds.feed(token, module="XYZ 210")).body)) == {"XYZ 210 exam paper 1", "XYZ 210 Test1"}
    with pytest.raises(ModuleNotInCalendar):
        await feeds.feed(token, module="NOT 100")
    assert campus.execute("SELECT module FROM calendar_feeds") == [("XYZ 210",)]


async def test_a_module_that_left_the_calendar_keeps_an_empty_feed(
    calendars: CalendarService, feeds: FeedService, campus: Campus, clock: Clock
) -> None:
    """A program then removes the entries from its calendar, even long after their records were deleted."""
    person = campus.account()
    stays, leaves = campus.job(person, [lecture()]), campus.job(person, [semester_test(module="XYZ 210")])
    owned = await calendars.create(person, job_ids=(stays, leaves), limits=LIMITS)
    token, calendar_id = _token(owned), owned.assembly.calendar.id
    assert len(_entries((await feeds.feed(token, module="XYZ 210")).body)) == 1
    await calendars.change(person, calendar_id, Changes(job_ids=(stays,)), limits=LIMITS)
    assert _entries((await feeds.feed(token, module="XYZ 210")).body) == {}
    clock.pass_days(400)
    campus.execute("DELETE FROM calendar_entries")
    assert _entries((await feeds.feed(token, module="XYZ 210")).body) == {}


async def test_a_hidden_module_has_an_empty_feed_from_the_beginning(
    calendars: CalendarService, feeds: FeedService, campus: Campus
) -> None:
    person = campus.account()
    job = campus.job(person, [lecture(), semester_test(module="XYZ 210")])
    choices = Choices(hidden_modules=("XYZ 210",))
    owned = await calendars.create(person, job_ids=(job,), choices=choices, limits=LIMITS)
    assert _entries((await feeds.feed(_token(owned), module="XYZ 210")).body) == {}


async def test_another_document_with_the_same_entries_changes_no_byte(
    calendars: CalendarService, feeds: FeedService, campus: Campus, clock: Clock
) -> None:
    """Rule 8: equal content gives equal bytes, whatever documents it comes from."""
    person = campus.account()
    first = campus.job(person, [lecture(), exam()])
    owned = await calendars.create(person, job_ids=(first,), limits=LIMITS)
    before = await feeds.feed(_token(owned))
    clock.pass_days(1)
    both = (first, campus.job(person, [lecture(), exam()]))
    await calendars.change(person, owned.assembly.calendar.id, Changes(job_ids=both), limits=LIMITS)
    assert await feeds.feed(_token(owned)) == before


async def test_a_feed_that_was_ended_stays_closed_until_it_is_opened_with_another_address(
    calendars: CalendarService, feeds: FeedService, campus: Campus
) -> None:
    """Rule 14: a change in between does not open it."""
    person = campus.account()
    owned = await calendars.create(person, job_ids=(campus.job(person, [lecture()]),), limits=LIMITS)
    calendar_id = owned.assembly.calendar.id
    closed = await calendars.change(person, calendar_id, Changes(feed_open=False), limits=LIMITS)
    renamed = await calendars.change(person, calendar_id, Changes(name="Mine"), limits=LIMITS)
    assert (closed.feed_url, renamed.feed_url) == ("", "")
    with pytest.raises(FeedNotFound):
        await feeds.feed(_token(owned))
    opened = await calendars.change(person, calendar_id, Changes(feed_open=True), limits=LIMITS)
    assert _entries((await feeds.feed(_token(opened))).body)
    assert opened.feed_url != owned.feed_url
    with pytest.raises(FeedNotFound):
        await feeds.feed(_token(owned))


async def test_an_unknown_token_opens_nothing(feeds: FeedService) -> None:
    with pytest.raises(FeedNotFound):
        await feeds.feed("A" * 32)


async def test_a_rotated_feed_ends_the_old_address_and_keeps_the_uids(
    calendars: CalendarService, feeds: FeedService, campus: Campus
) -> None:
    """Rule 14 requires this."""
    person = campus.account()
    owned = await calendars.create(person, job_ids=(campus.job(person, [lecture()]),), limits=LIMITS)
    before = by_icalendar((await feeds.feed(_token(owned))).body)
    rotated = await calendars.change(person, owned.assembly.calendar.id, Changes(rotate_feed=True), limits=LIMITS)

    assert by_icalendar((await feeds.feed(_token(rotated))).body) == before
    with pytest.raises(FeedNotFound):
        await feeds.feed(_token(owned))


async def test_the_database_holds_no_token(calendars: CalendarService, feeds: FeedService, campus: Campus) -> None:
    """A stolen dump gives access to no feed (R8.2)."""
    person = campus.account()
    owned = await calendars.create(person, job_ids=(campus.job(person, [lecture()]),), limits=LIMITS)
    await feeds.feed(_token(owned))
    dump = "\n".join(
        str(row) for table in ("calendars", "calendar_feeds", "calendar_entries")
        for row in campus.execute(f"SELECT t::text, encode(convert_to(t::text, 'UTF8'), 'escape') FROM {table} t")
    )  # fmt: skip
    bodies = b"".join(bytes(row[0]) for row in campus.execute("SELECT body FROM calendar_feeds"))

    assert len(_token(owned)) >= 22
    assert _token(owned) not in dump
    assert _token(owned).encode() not in bodies.replace(b"\r\n ", b"")
    assert SECRET not in dump


async def test_twenty_programs_at_once_get_one_file(
    calendars: CalendarService, feeds: FeedService, campus: Campus
) -> None:
    person = campus.account()
    token = _token(await calendars.create(person, job_ids=(campus.job(person, [lecture(), exam()]),), limits=LIMITS))

    files = await asyncio.gather(*(feeds.feed(token) for _ in range(20)))

    assert len({file.etag for file in files}) == 1
    assert set(campus.execute("SELECT sequence FROM calendar_entries")) == {(0,)}


async def test_another_owners_file_is_not_found(calendars: CalendarService, feeds: FeedService, campus: Campus) -> None:
    person = campus.account()
    owned = await calendars.create(person, job_ids=(campus.job(person, [lecture()]),), limits=LIMITS)

    with pytest.raises(CalendarNotFound):
        await feeds.download(campus.account(), owned.assembly.calendar.id)
    with pytest.raises(CalendarNotFound):
        await feeds.download(person, UUID(int=0))


async def test_a_feed_keeps_a_reading_that_is_repeated_until_the_new_one_corrects_it(
    calendars: CalendarService, feeds: FeedService, campus: Campus, clock: Clock
) -> None:
    """A release that was left had missed an exam (R12.3).

    No entry changes in between, and a calendar can be created.
    """
    person = campus.account()
    job = campus.job(person, [lecture()])
    owned = await calendars.create(person, job_ids=(job,), limits=LIMITS)
    before = _entries((await feeds.feed(_token(owned))).body)
    campus.execute(
        "UPDATE jobs SET status = 'queued', finished_at = NULL, provisional_release = '2' WHERE id = %s", job
    )
    clock.pass_days(1)

    assert _entries((await feeds.feed(_token(owned))).body) == before
    await calendars.create(person, job_ids=(job,), limits=LIMITS)

    campus.execute("UPDATE jobs SET status = 'processing', lease_until = now() WHERE id = %s", job)
    campus.execute(
        "UPDATE jobs SET status = 'completed', lease_until = NULL, finished_at = now(), provisional_release = NULL"
        " WHERE id = %s",
        job,
    )
    campus.print(job, [lecture(venues=("Thuto 9-9",)), exam()])
    after = _entries((await feeds.feed(_token(owned))).body)
    assert len(after) == len(before) + 1
    for name, entry in before.items():
        assert after[name]["UID"] == entry["UID"]
        assert (entry["SEQUENCE"], after[name]["SEQUENCE"]) == (0, 1)


async def test_a_newer_document_replaces_an_older_one_and_entries_keep_their_uids(
    calendars: CalendarService, feeds: FeedService, campus: Campus
) -> None:
    """Without the replacement both classes are in the feed.

    When the newer document is deleted, the older one counts again.
    """
    person = campus.account()
    old, new = campus.job(person, [lecture(), exam()]), campus.job(person, [lecture(day="Tuesday")])
    owned = await calendars.create(person, job_ids=(old,), limits=LIMITS)
    calendar_id = owned.assembly.calendar.id
    before = (await feeds.feed(_token(owned))).body

    # Only the lectures are printed again, so the older document stays with its exam.
    changes = Changes(job_ids=(old, new), replaced=((old, new),))
    changed = await calendars.change(person, calendar_id, changes, limits=LIMITS)
    replaced = (await feeds.feed(_token(owned))).body
    await calendars.change(person, calendar_id, Changes(name="Mine"), limits=LIMITS)
    renamed = await calendars.get(person, calendar_id)

    assert changed.assembly.source_of(lecture(day="Tuesday")) == new
    assert by_icalendar(replaced).keys() == by_icalendar(before).keys()
    assert _entries(replaced)["ABC 123 L1 G01"]["SEQUENCE"] == 1
    assert _entries(replaced)["ABC 123 exam paper 1"]["SEQUENCE"] == 0
    assert renamed.assembly.replaced == ((old, new),)

    # The API joins all documents that the request names.
    joined = await calendars.change(person, calendar_id, Changes(job_ids=(old, new)), limits=LIMITS)
    assert joined.assembly.replaced == ()
    assert len(by_icalendar((await feeds.feed(_token(owned))).body)) == 3

    await calendars.change(person, calendar_id, changes, limits=LIMITS)
    campus.execute("DELETE FROM jobs WHERE id = %s", new)
    assert by_icalendar((await feeds.feed(_token(owned))).body) == by_icalendar(before)
    assert campus.execute("SELECT count(*) FROM calendar_replacements") == [(0,)]


async def test_a_replacement_by_a_document_that_was_deleted_meanwhile_is_left_out(
    calendars: CalendarService, campus: Campus
) -> None:
    """Another tab may delete the older document while the decision is sent."""
    person = campus.account()
    new = campus.job(person, [lecture()])
    owned = await calendars.create(person, job_ids=(new,), limits=LIMITS)
    changes = Changes(job_ids=(new,), replaced=((UUID(int=5), new),))
    await calendars.change(person, owned.assembly.calendar.id, changes, limits=LIMITS)

    assert (await calendars.get(person, owned.assembly.calendar.id)).assembly.replaced == ()
