"""Refusals about calendars, feeds and academic years."""

from upschedule.errors import FieldError, Refusal


class CalendarNotFound(Refusal):
    """There is no such calendar among yours. It may have been deleted; make it again."""

    code = "calendar-not-found"
    title = "Calendar not found"


class FeedNotFound(Refusal):
    """This calendar link is not valid, or no longer. Its owner finds the present one beside the calendar."""

    code = "feed-not-found"
    title = "No such calendar link"


class ShareNotFound(Refusal):
    """This page is not shared, or no longer. Ask the person who gave you the link for the present one."""

    code = "shared-page-not-found"
    title = "No such shared page"


class YearNotFound(Refusal):
    """Nothing is known of this academic year. A calendar can bring its own dates."""

    code = "academic-year-not-found"
    title = "Academic year not known"


class InvalidCalendar(Refusal):
    """The calendar cannot be made like this. Correct the fields that are named."""

    code = "calendar-invalid"
    title = "Calendar cannot be made"

    def __init__(self, errors: tuple[FieldError, ...]) -> None:
        self.errors = errors
        super().__init__()


class DatesMissing(InvalidCalendar):
    """When these classes begin and end is not known here. Give the dates of the terms that are named."""

    code = "academic-year-dates-missing"
    title = "Term dates are missing"


class ScheduleNotRead(Refusal):
    """One of these schedules has not been read completely yet. Wait until its status is completed."""

    code = "calendar-schedule-not-read"
    title = "Schedule not read yet"


class CalendarBusy(Refusal):
    """The calendar is being changed again and again at this moment. Try again in a few seconds."""

    code = "calendar-busy"
    title = "Calendar is being changed"
    retry_after_seconds = 5


class ModuleNotInCalendar(Refusal):
    """This calendar has never had this module. Its owner finds the links of its modules beside the calendar."""

    code = "feed-module-not-found"
    title = "No such module in this calendar"


class CalendarChanged(Refusal):
    """The calendar was changed in another tab or on another device meanwhile. Look at it, then repeat your change."""

    code = "calendar-changed"
    title = "Changed meanwhile"


class TooManyCalendars(Refusal):
    """You have as many calendars as one person may have. Delete one that you no longer need."""

    code = "too-many-calendars"
    title = "Too many calendars"


class TooManyGroups(Refusal):
    """There are too many classes to look for combinations. Hide the modules that you do not attend."""

    code = "too-many-groups"
    title = "Too many groups to choose from"
