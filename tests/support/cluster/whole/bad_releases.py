"""Changes of a commit that a deployment must refuse, each with the reasons that it must report."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tests.support.cluster.whole.releases import (
    GATE_NOT_PASSED,
    NOT_VERIFIED,
    ROLLED_BACK,
    Change,
    migrating,
    replacing,
)
from tests.support.cluster.whole.traffic import DOCUMENT_SECONDS

#: The default of `releaseHealthySeconds`.
HEALTHY_SECONDS = 900
SERVE = ("src/upschedule/cli/serve.py", "    server.serve()\n")
APPLICATION = ("src/upschedule/cli/serve.py", '    return create_app(LiveSettings(configured("api"))')
LEAK = """\
    def leak() -> None:
        held = []
        while True:
            held.append(b"x" * 15_000_000)
            __import__("time").sleep(1)

    __import__("threading").Thread(target=leak, daemon=True).start()
"""
CREATE = "        owned = await calendars.create(\n"
CALENDARS = ("src/upschedule/web/api/calendars.py", CREATE)
PUBLISH_ALL = "    published: list[Published] = [record.published() for record in records]\n"
PUBLISH = ("src/upschedule/calendars/build.py", PUBLISH_ALL)
LEAVE_OUT = (
    "    exams = sorted((item for item in published if item.entry.kind == 'exam'), key=lambda item: item.entry.start)\n"
    "    published = [item for item in published if item not in exams[:1]]\n"
)
RUN = ("src/upschedule/processing/runner.py", "                run.reading_started()\n")
READ_EXAMS = ("src/upschedule/pdf/layouts/exams.py", "    for entry in entries:\n        exam = _exam(entry)\n")
READY = ("src/upschedule/web/http/rotation.py", 'return "serving" if self._entered else "starting"')
BOUNDARY = ("src/upschedule/web/http/boundary.py", "        body, exchange = Body(scope, receive)")
DELAY = (
    '        if not scope["path"].startswith("/health"):\n'
    "            self._turn = getattr(self, '_turn', 0) + 1\n"
    "            await __import__('asyncio').sleep(0 if self._turn % 22 else 3)\n"
)
CAPACITY = (
    "src/upschedule/web/api/capacity.py",
    "        return await services.intake.capacity(address=clients.of(request), settings=settings)\n",
)
LATER = (
    "        self.began = getattr(self, 'began', 0.0) or __import__('time').monotonic()\n"
    "        if __import__('time').monotonic() - self.began > 60:\n"
)
READ = ("src/upschedule/pdf/reader.py", "return Extraction(events=tuple(events),")


@dataclass(frozen=True, kw_only=True)
class BadRelease:
    """The deployment must report all `reasons` and end with one of `codes`, while so many documents are uploaded.

    `failed_max` requests may fail or be refused: those that an instance had, or got, when it was killed.

    Nomad gives up a canary that is not healthy after `healthy_seconds`. If it `slows` requests meanwhile, the
    autoscaler may add instances of the release before. A document may take `document_seconds` from upload to timetable.

    `options` are those of the promotion.
    """

    change: Change
    reasons: Sequence[str]
    healthy_seconds: int = 60
    slows: bool = False
    codes: Collection[int] = (GATE_NOT_PASSED,)
    documents: int = 6
    document_seconds: float = DOCUMENT_SECONDS
    failed_max: int = 0
    options: Sequence[str] = ()


CRASHES = BadRelease(
    change=replacing(*SERVE, '    raise SystemExit("the new library is missing")\n'),
    reasons=["task serve ended with exit code 1, 4 times", "serve | the new library is missing"],
    healthy_seconds=HEALTHY_SECONDS,
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
    healthy_seconds=HEALTHY_SECONDS,
)
BLOCKS = BadRelease(
    change=migrating(("expand_slow", f"ALTER TABLE jobs ADD COLUMN more int; {'SELECT pg_sleep(5); ' * 27}")),
    reasons=[
        "prestart task prepare ended with exit code 4",
        "expand_slow.sql blocked jobs for",
        "it was cancelled, and all of it was rolled back",
    ],
    slows=True,
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
    healthy_seconds=HEALTHY_SECONDS,
)
# Its canary is healthy.
ANSWERS_500 = BadRelease(
    change=replacing(*CALENDARS, f'        raise RuntimeError("of a test")\n{CREATE}'),
    reasons=["Not ok: golden document: POST /api/v1/calendars answers 500"],
    healthy_seconds=HEALTHY_SECONDS,
)
READS_WRONGLY = BadRelease(
    change=replacing(*READ, "return Extraction(events=tuple(events[1:]),"),
    reasons=["task work ended with exit code 70", "was not read as it is printed", "lectures: events: 1 of"],
    healthy_seconds=HEALTHY_SECONDS,
)
LEAVES_OUT_AN_EXAM = BadRelease(
    change=replacing(*READ_EXAMS, "    for entry in entries[1:]:\n        exam = _exam(entry)\n"),
    reasons=[" ended with exit code 70", "golden document of exams was not read", "exams: events: 1 of"],
    healthy_seconds=HEALTHY_SECONDS,
)
# The golden document of exams has fewer: only documents of students can show it.
LEAVES_OUT_AN_EXAM_OF_MANY = BadRelease(
    change=replacing(
        *READ_EXAMS, "    for entry in entries[1:] if len(entries) > 30 else entries:\n        exam = _exam(entry)\n"
    ),
    reasons=["Not ok: canary's documents beside the old release's: exams: at most 39 events in ", "by chance once in"],
    healthy_seconds=HEALTHY_SECONDS,
    options=("--shares", "20,50", "--share-step-seconds", "60"),
)
# The gate finds it, since nothing but the calendar is wrong.
LEAVES_AN_EXAM_OUT_OF_CALENDARS = BadRelease(
    change=replacing(*PUBLISH, f"{PUBLISH_ALL}{LEAVE_OUT}"),
    reasons=[
        "Not ok: golden calendar and feed: calendar file: entries: 1 of",
        "are missing, the first is exam ",
        "feed: entries: 1 of",
    ],
    healthy_seconds=HEALTHY_SECONDS,
)
# Killed after about 55 s, again and again.
LEAKS = replacing(*APPLICATION, f"{LEAK}{APPLICATION[1]}")
# Both turn bad when an instance has run for a minute, and on one route only.
FAILS_LATER = replacing(*CAPACITY, f'{LATER}            raise RuntimeError("of a test")\n{CAPACITY[1]}')
SLOW_LATER = replacing(*CAPACITY, f'{LATER}            await __import__("asyncio").sleep(3)\n{CAPACITY[1]}')
# A canary reads no documents of users, so only the roll-out or the verification can find it.
WORKER_DIES = BadRelease(
    change=replacing(*RUN, f'                __import__("os")._exit(9)\n{RUN[1]}'),
    reasons=["task work ended with exit code 9"],
    healthy_seconds=HEALTHY_SECONDS,
    codes=(ROLLED_BACK, NOT_VERIFIED),
    documents=120,
    # After the roll-out no worker reads until the release before is back.
    document_seconds=300,
)

# One request in 22: the 95th percentile stays what it was.
DELAYS_SOME = BadRelease(
    change=replacing(*BOUNDARY, f"{DELAY}{BOUNDARY[1]}"),
    reasons=["Not ok: canary beside the old release: ", "slower than 2 s", "by chance once in"],
    healthy_seconds=600,
    options=("--shares", "10,50", "--share-step-seconds", "30"),
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
    "leaves-out-an-exam-of-many": LEAVES_OUT_AN_EXAM_OF_MANY,
    "worker-dies": WORKER_DIES,
    "delays-some": DELAYS_SOME,
    "leaves-an-exam-out-of-calendars": LEAVES_AN_EXAM_OUT_OF_CALENDARS,
}
#: Well at first: the gate finds nothing, so a test promotes them by Nomad's own command.
TURNING_BAD = {"leaks": LEAKS, "fails-later": FAILS_LATER, "slow-later": SLOW_LATER}
