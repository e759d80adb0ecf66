"""Nomad does not answer at the end of a command."""

import pytest
from urllib3.util import Retry

from upschedule.deploy.clock import Clock
from upschedule.deploy.consul import ConsulHealth, consul_client
from upschedule.deploy.environment import JOBS, Cluster
from upschedule.deploy.errors import (
    ExitCode,
    PartlyKnown,
    ServerRefused,
    ServerUnreachable,
    silence_leaves_partly_known,
)
from upschedule.deploy.nomad import NomadClient, nomad_at
from upschedule.deploy.recording import record_release, record_result
from upschedule.deploy.records.recorder import Recorder

#: No server listens at this port.
CLOSED = "http://127.0.0.1:1"


def silent_cluster(messages: list[str]) -> Cluster:
    nomad = NomadClient(nomad_at(CLOSED, ""), retries=Retry(0))
    return Cluster(
        nomad=nomad,
        records=Recorder(nomad, jobs=JOBS, records_max=2),
        consul=ConsulHealth(consul_client(CLOSED, "")),
        clock=Clock(),
        report=messages.append,
    )


def test_a_result_is_kept_when_it_cannot_be_recorded() -> None:
    """Otherwise it would end with 3, which means that nothing was changed. The next command records the result."""
    messages: list[str] = []
    cluster = silent_cluster(messages)

    record_result(cluster)

    assert "the next command does it" in messages[0]
    with pytest.raises(ServerUnreachable):
        record_release(cluster)


def test_after_the_first_change_a_silent_server_leaves_the_rest_partly_known() -> None:
    with (
        pytest.raises(PartlyKnown, match="Known: worker is promoted") as raised,
        silence_leaves_partly_known("the promotion", "worker is promoted"),
    ):
        silent_cluster([]).nomad.get("jobs")
    assert raised.value.exit_code is ExitCode.PARTLY_KNOWN

    with pytest.raises(ServerRefused), silence_leaves_partly_known("the promotion", "worker is promoted"):
        raise ServerRefused("Nomad", "GET v1/jobs", 403, "")
