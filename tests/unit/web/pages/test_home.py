"""Links to subscribe to a calendar."""

from urllib.parse import parse_qs, urlsplit

from upschedule.web.pages.home import calendar_links


def test_apple_gets_webcal_and_the_others_https() -> None:
    """All links lead to one feed, whose address is quoted inside the others (calendar rule 14)."""
    feed = "https://upschedule.app/calendars/a-b_c.ics"
    found = calendar_links(feed_url=feed, ics_url="/x.ics", name="UP timetable 2026", current=True)
    assert found.apple_url == "webcal://upschedule.app/calendars/a-b_c.ics"
    assert parse_qs(urlsplit(found.google_url).query) == {"cid": [feed]}
    assert parse_qs(urlsplit(found.outlook_url).query) == {"url": [feed], "name": ["UP timetable 2026"]}
