"""Reads the events and warnings of jobs: the SQL and the decoding that all repositories share."""

import msgspec

from upschedule.timetable.event import Event, ReadingWarning

#: A statement without its condition, whose rows the two functions below decode. The events are one JSON text: psycopg
#: would decode each to objects first, and msgspec then to events.
SELECT_RESULTS = """
    SELECT id, pages, warnings::text, (
        SELECT '[' || coalesce(string_agg(body::text, ',' ORDER BY ordinal), '') || ']'
        FROM events WHERE job_id = jobs.id
    ) AS events
    FROM jobs
"""
decode_events = msgspec.json.Decoder(tuple[Event, ...]).decode
decode_warnings = msgspec.json.Decoder(tuple[ReadingWarning, ...]).decode
