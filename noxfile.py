"""What can be checked, by part: `nox -l`. Sessions run in the project's own environment, which uv.lock describes."""

from pathlib import Path

import nox

nox.needs_version = ">=2025.10"
nox.options.default_venv_backend = "none"
nox.options.sessions = ["lint", "test"]
nox.options.stop_on_first_error = True
# A file's tests stay together, so that they share what its fixtures start. The order of collection stays as well:
# tests/support/longest_files.py names those that come first.
# `make test` repeats these options: it calls pytest itself, since its output has to end with pytest's own line.
IN_PARALLEL = ("--dist", "loadfile", "--no-loadscope-reorder", "--max-worker-restart", "0", "--numprocesses")
#: Of the tests that need no whole cluster, the files that take longest first; tests/cluster/program consists of many
#: short tests and fills what is left. In between are single tests of files that CI leaves to `cluster_tooling`: one for
#: each way in which a bad release is found or left.
QUICK = (
    *(
        f"tests/cluster/tooling/test_{part}"
        for part in (
            "alerts.py",
            "program.py",
            "jobs.py",
            "access.py",
            "build.py",
            "canary_share.py",
            "certificates.py",
            "common_blocks.py",
            "encryption.py",
            "failures.py",
            "hosts.py",
            "nomad_backup.py",
            "restore_drill.py",
            "secrets.py",
            "service_report.py",
            "deploy.py::test_a_canary_that_crashes_is_given_up_within_a_minute_and_the_wait_says_why",
            "deploy.py::test_a_release_whose_instances_are_killed_is_reverted_although_each_becomes_healthy_again",
            "deploy_revert.py::test_after_seven_scalings_a_revert_works_and_a_bad_release_is_reverted",
            "deploy_revert.py::test_nomads_own_commands_and_ours_mix",
            "document_share.py::test_a_canary_that_reads_worse_is_found_by_layout_while_it_has_a_share",
            "supervision.py::test_a_release_that_is_killed_again_and_again_is_reverted_although_the_supervisor_was_killed",
            "traffic_share.py::test_a_canary_that_is_dead_or_unwell_gets_nothing_within_seconds",
            "traffic_share.py::test_a_canary_that_delays_one_request_in_22_is_found_by_its_visitors",
        )
    ),
    "tests/cluster/program",
)
#: Draining comes before the failures: servers that were just killed and came back would disturb it.
SHORT = (
    "tests/cluster/test_platform.py",
    "tests/cluster/test_releases.py",
    "tests/cluster/test_bad_releases.py",
    "tests/cluster/test_draining.py",
    "tests/cluster/test_failures.py",
    "tests/cluster/test_restarts.py",
    "tests/cluster/test_scaling.py",
)
#: Seconds after Ctrl-C within which tests remove the cluster that they started; by default nox kills them after 0.5 s.
INTERRUPT_SECONDS = 120.0
# What needs no cluster has sessions of its own.
WHOLE_CLUSTER = ("tests/cluster", "--ignore", "tests/cluster/tooling", "--ignore", "tests/cluster/program")


@nox.session
def lint(session: nox.Session) -> None:
    """Format, lint, types, import contracts, docstrings, SQL, secrets, pinned hashes."""
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")
    session.run("pyright")
    session.run("lint-imports")
    session.run("interrogate", "--quiet", "src")
    session.run("squawk", *map(str, sorted(Path("migrations").glob("*.sql"))))
    session.run("python", "-m", "tools.secret_scan")
    session.run("python", "-m", "tools.supply_chain")


@nox.session
def test(session: nox.Session) -> None:
    """All tests in one run, in three processes with servers of their own: most tests wait."""
    session.run("python", "-m", "tools.prerequisites", "test")
    session.run("pytest", *IN_PARALLEL, "3", *session.posargs)


@nox.session
def unit(session: nox.Session) -> None:
    """Tests without servers."""
    session.run("pytest", "tests/unit", "tests/docs", *session.posargs)


@nox.session
def integration(session: nox.Session) -> None:
    """Tests on the real servers."""
    session.run("pytest", "tests/integration", "tests/migration", *session.posargs)


@nox.session
def schemathesis(session: nox.Session) -> None:
    """Many more requests made up from the OpenAPI document, by three seeds: `nox -s schemathesis -- 500 7 8 9`."""
    examples, *seeds = session.posargs or ("400", "2", "3", "4")
    for seed in seeds:
        environment = {"FUZZING_EXAMPLES": examples, "FUZZING_SEED": seed}
        session.run("pytest", "-rP", "tests/integration/web/test_schemathesis.py", env=environment)


@nox.session
def browser(session: nox.Session) -> None:
    """Tests of the pages in Chromium."""
    session.run("pytest", "tests/browser", *session.posargs)


def _test_clusters(session: nox.Session, *arguments: str) -> None:
    """Builds the programs of the cluster that are missing, which takes minutes, and runs pytest."""
    session.run("python", "-m", "tools.cluster.build")
    session.run("pytest", *arguments, *session.posargs, interrupt_timeout=INTERRUPT_SECONDS)


@nox.session
def cluster_tooling(session: nox.Session) -> None:
    """Tests of the cluster's programs and plugins; builds first what is missing, which takes minutes."""
    _test_clusters(session, "tests/cluster/program", "tests/cluster/tooling")


@nox.session
def cluster_quick(session: nox.Session) -> None:
    """Plugins, program and job files on a real Nomad, in a few minutes."""
    # Each process has a Nomad of its own.
    _test_clusters(session, *QUICK, *IN_PARALLEL, "3")


@nox.session
def cluster_short(session: nox.Session) -> None:
    """The whole cluster: releases good and bad, failures, numbers of instances; a quarter of an hour.

    It ends after three failures: each can cost minutes of waiting, and a CI's limit of time would hide all of them.
    """
    _test_clusters(session, *SHORT, "-m", "not long", "--maxfail", "3")


@nox.session
def cluster(session: nox.Session) -> None:
    """Tests on the whole cluster, started for them on free ports, without the long ones."""
    _test_clusters(session, *WHOLE_CLUSTER, "-m", "not long")


@nox.session
def cluster_full(session: nox.Session) -> None:
    """The same with the long ones: full sizes, every kind of bad release."""
    _test_clusters(session, *WHOLE_CLUSTER)


@nox.session
def cluster_quiet(session: nox.Session) -> None:
    """An hour of steady load on the whole cluster, a good release and a scaling, during which no alert fires."""
    session.env["QUIET_SECONDS"] = "3600"
    _test_clusters(session, "tests/cluster/test_quiet.py")


@nox.session
def fresh_machine(session: nox.Session) -> None:
    """`make run` and `make test` on a minimal Debian 12 that is made for it; needs root, takes half an hour."""
    session.run("python", "-m", "tools.prerequisites", "fresh_machine")
    session.run("python", "-m", "tools.fresh_machine", *session.posargs)


@nox.session
def load_baseline(session: nox.Session) -> None:
    """Ten users for two minutes (R7.1); `-- --url URL` for a service that runs on this machine already."""
    session.run("python", "-m", "perf.load", "baseline", *session.posargs)


@nox.session
def load_stress(session: nox.Session) -> None:
    """More and more visitors until the service cannot serve them; then the data are checked (R7.2)."""
    session.run("python", "-m", "perf.load", "stress", *session.posargs)


@nox.session
def load_spike(session: nox.Session) -> None:
    """Ten times the load within seconds, and the time until all is as before (R7.3)."""
    session.run("python", "-m", "perf.load", "spike", *session.posargs)


@nox.session
def load_soak(session: nox.Session) -> None:
    """Two hours of steady load: nothing may grow (R7.4); `-- --seconds 120` for less."""
    session.run("python", "-m", "perf.load", "soak", *session.posargs)


@nox.session
def load_uploads(session: nox.Session) -> None:
    """A hundred uploads at once, then a thousand within ten minutes (R1.1)."""
    if not session.posargs:
        session.run("python", "-m", "perf.hundred_uploads")
    session.run("python", "-m", "perf.load", "uploads", *session.posargs)


@nox.session
def load_limits(session: nox.Session) -> None:
    """More requests than the limits of production allow: they hold, and what they let through is fast (R5.4)."""
    session.run("python", "-m", "perf.load", "limits", *session.posargs)


@nox.session
def load_release(session: nox.Session) -> None:
    """Students at work during a canary, its promotion and a revert on the whole cluster; needs root (R7, R12)."""
    _test_clusters(session, "tests/cluster/test_releases.py")


@nox.session
def load_streams(session: nox.Session) -> None:
    """Nearly ten thousand people follow the status of a waiting document at once."""
    session.run("python", "-m", "perf.many_streams", "--streams", "9500", *session.posargs)


@nox.session
def guard(session: nox.Session) -> None:
    """Compares the processor time of each route with that of a bare one, and with the committed ratios."""
    session.run("python", "-m", "perf.bench_routes", "--guard", "--rounds", "3", "--requests", "400")


@nox.session
def load_capacity(session: nox.Session) -> None:
    """Measures what a visit costs, for `upschedule capacity`, and whether small loads predict larger ones (R7.5)."""
    session.run("python", "-m", "perf.load", "capacity", *session.posargs)


@nox.session
def restore_drill(session: nox.Session) -> None:
    """A full-size PostgreSQL is destroyed and restored (R9.3); `-- --jobs 1000 --calendars 100` takes a minute."""
    session.run("python", "-m", "perf.restore_drill", *session.posargs)


@nox.session
def perf(session: nox.Session) -> None:
    """Every program under perf/, one after the other; each prints its figures."""
    for program in sorted(Path("perf").glob("*.py")):
        if "__main__" in program.read_text(encoding="utf-8"):
            session.run("python", "-m", f"perf.{program.stem}", *session.posargs)
