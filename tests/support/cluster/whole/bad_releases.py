"""Changes of a commit that a deployment must refuse, each with the reasons that it must report."""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.support.cluster.whole.releases import Change, migrating, replacing

SERVE = ("src/upschedule/cli/serve.py", "    server.serve()\n")
CREATE = "        owned = await calendars.create(\n"
CALENDARS = ("src/upschedule/web/api/calendars.py", CREATE)
PUBLISH_ALL = "    published: list[Published] = [record.published() for record in records]\n"
PUBLISH = ("src/upschedule/calendars/build.py", PUBLISH_ALL)
LEAVE_OUT = (
    "    exams = sorted((item for item in published if item.entry.kind == 'exam'), key=lambda item: item.entry.start)\n"
    "    published = [item for item in published if item not in exams[:1]]\n"
)
READ_EXAMS = ("src/upschedule/pdf/layouts/exams.py", "    for entry in entries:\n        exam = _exam(entry)\n")
READY = ("src/upschedule/web/http/rotation.py", 'return "serving" if self._entered else "starting"')
READ = ("src/upschedule/pdf/reader.py", "return Extraction(events=tuple(events),")


@dataclass(frozen=True, kw_only=True)
class BadRelease:
    """The deployment must report all `reasons`. Nomad gives up a canary that is not healthy after `healthy_seconds`."""

    change: Change
    reasons: Sequence[str]
    healthy_seconds: int = 60


CRASHES = BadRelease(
    change=replacing(*SERVE, '    raise SystemExit("the new library is missing")\n'),
    reasons=["task serve ended with exit code 1", "serve | the new library is missing"],
)
HANGS = BadRelease(
    change=replacing(*SERVE, "    __import__('threading').Event().wait()\n"),
    reasons=["check 'ready' of api is critical", "connection refused"],
)
FAILS_ITS_CHECK = BadRelease(
    change=replacing(*READY, 'return "starting"'),
    reasons=["check 'ready' of api is critical", "503 Service Unavailable"],
)
FAILS_ITS_MIGRATION = BadRelease(
    change=migrating(("expand_notes", "ALTER TABLE lecture_notes ADD COLUMN seen boolean;")),
    reasons=["prestart task prepare ended with exit code 4", 'relation "lecture_notes" does not exist'],
)
BLOCKS = BadRelease(
    change=migrating(("expand_slow", f"ALTER TABLE jobs ADD COLUMN more int; {'SELECT pg_sleep(5); ' * 27}")),
    reasons=[
        "prestart task prepare ended with exit code 4",
        "expand_slow.sql blocked jobs for",
        "it was cancelled, and all of it was rolled back",
    ],
)
REMOVES_WHAT_IS_NEEDED = BadRelease(
    change=migrating(
        ("contract_jobs", "ALTER TABLE jobs RENAME TO former_jobs;"),
        ("expand_notes", "CREATE TABLE lecture_notes (id bigint PRIMARY KEY);"),
    ),
    reasons=[
        "prestart task prepare ended with exit code 4",
        "contract_jobs.sql removes what",
        "first release a commit that ends with the contraction",
    ],
)
# Its canary is healthy, and needs the time to become so.
ANSWERS_500 = BadRelease(
    change=replacing(*CALENDARS, f'        raise RuntimeError("of a test")\n{CREATE}'),
    reasons=["Not ok: golden document: POST /api/v1/calendars answers 500"],
    healthy_seconds=600,
)
READS_WRONGLY = BadRelease(
    change=replacing(*READ, "return Extraction(events=tuple(events[1:]),"),
    reasons=["task work ended with exit code 70", "was not read as it is printed", "lectures: events: 1 of"],
)
LEAVES_OUT_AN_EXAM = BadRelease(
    change=replacing(*READ_EXAMS, "    for entry in entries[1:]:\n        exam = _exam(entry)\n"),
    reasons=[" ended with exit code 70", "golden document of exams was not read", "exams: events: 1 of"],
)
# The gate finds it, since nothing but the calendar is wrong.
LEAVES_AN_EXAM_OUT_OF_CALENDARS = BadRelease(
    change=replacing(*PUBLISH, f"{PUBLISH_ALL}{LEAVE_OUT}"),
    reasons=[
        "Not ok: golden calendar and feed: calendar file: entries: 1 of",
        "are missing, the first is exam ",
        "feed: entries: 1 of",
    ],
    healthy_seconds=600,
)

BAD_RELEASES = {
    "crashes": CRASHES,
    "hangs": HANGS,
    "fails-its-check": FAILS_ITS_CHECK,
    "fails-its-migration": FAILS_ITS_MIGRATION,
    "blocks": BLOCKS,
    "removes-what-is-needed": REMOVES_WHAT_IS_NEEDED,
    "answers-500": ANSWERS_500,
    "reads-wrongly": READS_WRONGLY,
    "leaves-out-an-exam": LEAVES_OUT_AN_EXAM,
    "leaves-an-exam-out-of-calendars": LEAVES_AN_EXAM_OUT_OF_CALENDARS,
}
