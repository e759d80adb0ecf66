"""Lists the academic years that are known."""

from litestar import Controller, get

from upschedule.calendars.errors import YearNotFound
from upschedule.calendars.model import KnownYear
from upschedule.calendars.service import CalendarService
from upschedule.web.api.academic_year_schemas import KnownYearList
from upschedule.web.http.problems import problems


class AcademicYearController(Controller):
    """The years as an operator keeps them."""

    path = "/api/v1/academic-years"
    tags = ("academic years",)

    @get(operation_id="ListAcademicYears", summary="The academic years that are known", responses=problems())
    async def known_years(self, calendars: CalendarService) -> KnownYearList:
        """With their source, and whether an operator has confirmed them."""
        return KnownYearList(academic_years=tuple(await calendars.years()))

    @get(
        "/{year:int}",
        operation_id="GetAcademicYear",
        summary="The known dates of a year",
        responses=problems(YearNotFound),
    )
    async def known_year(self, year: int, calendars: CalendarService) -> KnownYear:
        """Its terms, recesses and special days."""
        return await calendars.year(year)
