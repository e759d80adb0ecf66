"""The synthetic student on the whole cluster: right as a rule, and it notices what is wrong (R6.4)."""

import dataclasses
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from tests.cluster.conftest import Figure
from tests.support.cluster.whole.cluster import owner_url
from tests.support.cluster.whole.instances import await_well, without
from tests.support.cluster.whole.scaling import samples
from tests.support.servers import wait_until
from tools.local_cluster.cluster import LocalCluster
from upschedule.golden import LAYOUTS

pytestmark = [pytest.mark.timeout(1200), pytest.mark.long]
DOCUMENTS = {*LAYOUTS, "all"}
EVERY_SECONDS = "10"
#: Several runs, and a scrape, on a busy machine.
RUN_SECONDS = 240.0
#: Changes each document's first field that every layout has, as a defect of the reader or of the storage would.
SPOILED = """
    CREATE FUNCTION of_a_test() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        NEW.body = jsonb_set(NEW.body, '{module}', '"OFATEST"');
        RETURN NEW;
    END $$;
    CREATE TRIGGER of_a_test BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION of_a_test();
"""


@pytest.fixture(scope="module")
def observed(cluster: LocalCluster) -> Iterator[LocalCluster]:
    """The cluster with the synthetic student, which `make cluster` has from the beginning."""
    with_student = dataclasses.replace(cluster, with_student=True)
    with_student.prepare_stack()
    cluster.stack.configure({"syntheticEverySeconds": EVERY_SECONDS}, {})
    try:
        cluster.stack.up()
        with_student.exempt_student()
        yield cluster
    finally:
        for name in ("syntheticEverySeconds", "syntheticMail", "syntheticPassword"):
            cluster.stack.run("config", "rm", name)
        cluster.stack.up()
        await_well(cluster)


def test_every_golden_document_is_right_through_the_public_address(observed: LocalCluster, figure: Figure) -> None:
    """From the upload to the feed, run after run; its documents do not count in the queue (issue 12)."""
    wait_until(lambda: right(observed) == DOCUMENTS, timeout_seconds=RUN_SECONDS)
    runs = shown(observed, 'upschedule_synthetic_runs_total{outcome="right"}')
    wait_until(
        lambda: all(
            count >= runs[document] + 2
            for document, count in shown(observed, 'upschedule_synthetic_runs_total{outcome="right"}').items()
        ),
        timeout_seconds=RUN_SECONDS,
    )
    for stage, seconds in samples(observed, "sum by (stage) (upschedule_synthetic_stage_seconds)", "stage").items():
        figure(f"seconds of the stage {stage}", seconds)

    assert right(observed) == DOCUMENTS
    assert firing(observed) == set()


def test_a_wrong_timetable_is_noticed(observed: LocalCluster, figure: Figure) -> None:
    """Until the next run after the mend."""
    wait_until(lambda: right(observed) == DOCUMENTS, timeout_seconds=RUN_SECONDS)
    began = time.monotonic()
    with spoiled_events(observed):
        wait_until(lambda: "SyntheticStudentWrong" in firing(observed), timeout_seconds=RUN_SECONDS)
        figure("seconds from wrong timetables to the alert", time.monotonic() - began)
        assert "SyntheticStudentFails" not in firing(observed)
    wait_until(lambda: right(observed) == DOCUMENTS and not firing(observed), timeout_seconds=RUN_SECONDS)


def test_a_dead_edge_is_noticed(observed: LocalCluster, figure: Figure) -> None:
    """Though all else is well."""
    wait_until(lambda: right(observed) == DOCUMENTS, timeout_seconds=RUN_SECONDS)
    began = time.monotonic()
    with without(observed, "traefik"):
        wait_until(lambda: "SyntheticStudentFails" in firing(observed), timeout_seconds=RUN_SECONDS)
        figure("seconds from the end of Traefik to the alert", time.monotonic() - began)
    wait_until(lambda: right(observed) == DOCUMENTS and not firing(observed), timeout_seconds=RUN_SECONDS)


def shown(cluster: LocalCluster, expression: str) -> dict[str, float]:
    """The values by document."""
    return samples(cluster, f"sum by (document) ({expression})", "document")


def right(cluster: LocalCluster) -> set[str]:
    """The documents whose last run came to its end without a difference."""
    expression = "(upschedule_synthetic_success == 1) and (upschedule_synthetic_differences == 0)"
    return set(shown(cluster, expression))


def firing(cluster: LocalCluster) -> set[str]:
    """The alerts of the synthetic student."""
    return set(samples(cluster, 'ALERTS{alertstate="firing",alertname=~"SyntheticStudent.*"}', "alertname"))


@contextmanager
def spoiled_events(cluster: LocalCluster) -> Iterator[None]:
    with psycopg.connect(owner_url(cluster), autocommit=True) as connection:
        connection.execute(SPOILED)
        try:
            yield
        finally:
            connection.execute("DROP FUNCTION of_a_test() CASCADE")
