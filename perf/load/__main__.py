"""Load tests: students arrive at the service, and everything that they get is compared with what they sent.

    python -m perf.load baseline                 # a stack of its own, on free ports, with raised limits
    python -m perf.load stress --url http://127.0.0.1:8080
    python -m perf.load soak --seconds 120       # a shorter variant

It writes PROFILE.html, PROFILE.md and PROFILE.json into the folder of reports. Exit code 1: a goal was not met.
"""

# Locust replaces the blocking functions of the standard library, and has to be the first that is imported.
import locust  # isort: skip

import argparse
import datetime as dt
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import gevent
import msgspec
import psycopg
from locust.env import Environment

from perf.load import integrity, report
from perf.load.profiles import PROFILES, Profile, arrivals
from perf.load.sampler import Job, Sample
from perf.load.samples import Recorder
from perf.load.students import Given, Student
from perf.load.target import RAISED_LIMITS, Target, target
from perf.load.truth import DOCUMENTS, documents
from perf.load.verdicts import Measured
from upschedule.processing.intake import OBJECT_PREFIX
from upschedule.stores.bucket import Bucket
from upschedule.stores.errors import StoreError

ROOT = Path(__file__).parents[2]
#: At the same time in an open model; a visitor that comes while all are busy waits, and its latency counts the wait.
USERS_MAX = 300
#: After the last visit has begun: for visits under way, and for the queue.
DRAIN_SECONDS = 300.0
SAMPLES_MAX = 4000
#: What the service printed last, shown where it is not there any more.
OUTPUT_LINES = 40


def main() -> None:
    """Exit code 2 for arguments that make no sense."""
    # As for Ctrl-C: what was started for the test ends with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    options = _options()
    profile = _profile(options)
    if profile.goals.calibrates and options.url:
        sys.exit("capacity needs a stack of its own, whose processes it measures: leave out --url")
    try:
        with target(options.url, raised_limits=profile.raised_limits) as system:
            run = _run(profile, system, options)
    except ValueError as error:
        sys.exit(f"{error}")
    page = report.write(run, options.reports)
    for verdict in run.verdicts:
        word = {True: "ok", False: "NOT MET", None: ""}[verdict.passed]
        print(f"{word:8} {verdict.what}: {verdict.measured} (goal: {verdict.goal})")
    for sentence in report.recommendations(run):
        print(sentence)
    print(page)
    sys.exit(0 if run.passed else 1)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("profile", choices=sorted(PROFILES))
    parser.add_argument("--url", help="a service on this machine, instead of a stack of its own")
    parser.add_argument("--seconds", type=float, help="of a profile without phases")
    parser.add_argument("--scale", type=float, default=1.0, help="times the length of each phase")
    parser.add_argument("--users", type=int, help="of a profile without phases")
    parser.add_argument(
        "--seed", type=int, default=133, help="of documents and arrivals; below 133 some are not readable"
    )
    parser.add_argument("--reports", type=Path, default=ROOT / ".reports" / "load")
    return parser.parse_args()


def _profile(options: argparse.Namespace) -> Profile:
    profile = PROFILES[options.profile]
    phases = tuple(replace(phase, seconds=phase.seconds * options.scale) for phase in profile.phases)
    seconds = 0.0 if phases else options.seconds or profile.seconds
    share = (seconds or sum(phase.seconds for phase in phases)) / profile.duration_seconds
    return replace(
        profile,
        phases=phases,
        seconds=seconds,
        users=options.users or profile.users,
        warm_up_seconds=profile.warm_up_seconds * min(1.0, share),
    )


def _run(profile: Profile, system: Target, options: argparse.Namespace) -> report.Run:
    began = dt.datetime.now().astimezone()
    recorder = Recorder()
    with tempfile.TemporaryFile() as kept:
        sampling = _start_sampler(profile, system, kept.fileno())
        try:
            started = _send(profile, system, recorder, options.seed)
        finally:
            sampling.terminate()
            sampling.wait(30)
        kept.seek(0)
        samples = [msgspec.json.decode(line, type=Sample) for line in kept]
    checked = _check(system, recorder)
    measured = Measured(
        profile=profile,
        recorder=recorder,
        samples=[msgspec.structs.replace(sample, at=sample.at - started) for sample in samples],
        cores=os.cpu_count() or 1,
    )
    return report.Run(
        measured=measured,
        began=f"{began:%Y-%m-%d %H:%M}",
        commit=_commit(),
        settings=_settings(profile, system, options.seed),
        integrity=checked,
        before=report.read_figures(options.reports, profile.name),
    )


def _start_sampler(profile: Profile, system: Target, output: int) -> subprocess.Popen[bytes]:
    job = Job(
        supervisor=system.supervisor or os.getpid(),
        generator=os.getpid(),
        interval_seconds=max(1.0, profile.duration_seconds / SAMPLES_MAX),
        metrics=tuple(address for name, address in system.addresses.items() if name.endswith(": metrics")),
        postgres=system.postgres_url or "",
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "perf.load.sampler"], cwd=ROOT, stdin=subprocess.PIPE, stdout=output
    )
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(job))
    process.stdin.close()
    return process


def _send(profile: Profile, system: Target, recorder: Recorder, seed: int) -> float:
    """The beginning of the load, on the machine's monotonic clock."""
    Student.host = system.url
    Student.is_open_model = bool(profile.phases)
    made = documents(seed)
    environment = Environment(user_classes=[Student])
    runner = environment.create_local_runner()
    started = time.monotonic()
    Student.given = Given(recorder, arrivals(profile.phases, seed) if profile.phases else None, made)
    users = USERS_MAX if profile.phases else profile.users
    runner.start(users, spawn_rate=users)
    while time.monotonic() - started < profile.duration_seconds:
        gevent.sleep(0.5)
    # In an open model each user ends when no visit is left.
    environment.stop_timeout = DRAIN_SECONDS
    if profile.phases:
        end = time.monotonic() + DRAIN_SECONDS
        while runner.user_count and time.monotonic() < end:
            gevent.sleep(0.2)
    runner.quit()
    return started


def _check(system: Target, recorder: Recorder) -> integrity.Integrity | None:
    """Checks the data. Without the database the report is still written, and says that they were not checked."""
    try:
        connection = system.connect()
        if connection is None or system.objects is None:
            return None
        with connection:
            end = time.monotonic() + DRAIN_SECONDS
            while integrity.unfinished(connection) and time.monotonic() < end:
                time.sleep(0.5)
            return integrity.check(
                connection,
                recorder.accepted,
                objects=list(Bucket(system.objects).find_all(OBJECT_PREFIX)),
                now=dt.datetime.now(dt.UTC),
            )
    except (psycopg.OperationalError, StoreError) as error:
        print(f"the data cannot be looked at: {error}", *system.output[-OUTPUT_LINES:], sep="\n", file=sys.stderr)
        return integrity.unreachable()


def _commit() -> str:
    described = ["git", "describe", "--always", "--dirty"]
    return subprocess.run(described, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def _settings(profile: Profile, system: Target, seed: int) -> Mapping[str, str]:
    own = {name: value for name, value in RAISED_LIMITS.items() if system.supervisor and profile.raised_limits}
    model = "open: visitors arrive at random times" if profile.phases else f"closed: {profile.users} users"
    return {
        "model": model,
        "documents": f"{DOCUMENTS} different ones, seed {seed}; every field of every event is compared",
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, Linux {platform.release()}",
        "Python, locust": f"{platform.python_version()}, {locust.__version__}",
        "load of the machine at the end": f"{os.getloadavg()[1]:.1f} (5 minutes)",
        **own,
    }


if __name__ == "__main__":
    main()
