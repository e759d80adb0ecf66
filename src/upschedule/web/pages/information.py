"""The pages about privacy, the terms of use, and help."""

from litestar import Controller, Response, route

from upschedule.settings import Settings
from upschedule.web.http.identity import AnyRequest
from upschedule.web.http.openapi import READING
from upschedule.web.pages.rendering import error_handlers, page

_DAYS_OF_MONTH = 365.25 / 12


def months_of(days: float) -> int:
    """The number of whole months, for sentences on the pages."""
    return round(days / _DAYS_OF_MONTH)


class InformationController(Controller):
    """The numbers on the pages are those of the settings."""

    path = "/"
    include_in_schema = False
    exception_handlers = error_handlers()

    @route("/privacy", http_method=READING)
    async def privacy(self, request: AnyRequest, settings: Settings) -> Response[bytes]:
        """Says what is stored, for how long, and what a person can do about it."""
        web = settings.web
        return page(
            request,
            "info/privacy.html",
            contact=web.contact,
            keep_hours=round(settings.uploads.keep_hours),
            report_days=round(settings.jobs.report_days),
            report_file_days=round(settings.jobs.report_file_days),
            sign_up_hours=web.sign_up_hours,
            session_days=web.session_days,
            address_hours=round(settings.jobs.address_hours),
            unused_months=months_of(settings.jobs.unused_days),
        )

    @route("/terms", http_method=READING)
    async def terms(self, request: AnyRequest, settings: Settings) -> Response[bytes]:
        """The terms of use of the service."""
        return page(request, "info/terms.html", uploads_per_hour=settings.limits.uploads_per_hour)

    @route("/help", http_method=READING)
    async def help(self, request: AnyRequest) -> Response[bytes]:
        """Says where the PDF comes from, and answers frequent questions."""
        return page(request, "info/help.html")
