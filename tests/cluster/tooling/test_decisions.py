"""The log of gate results and operators' decisions, on a real Nomad with the deploy token (issue 11, R12.3)."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.cluster.tooling.deploy_site import Site
from tests.support.cluster.tooling.releases import Release
from upschedule.deploy.decisions import PATH, Decision, DecisionKind, DecisionLog, decisions_if_allowed
from upschedule.deploy.nomad import NomadClient, nomad_endpoint

pytestmark = pytest.mark.timeout(180)


def client(site: Site) -> NomadClient:
    return NomadClient(nomad_endpoint(site.environment), query={"namespace": site.namespace})


def decision(verdict: str) -> Decision:
    return Decision(
        at="2026-01-01 00:00:00 UTC", kind=DecisionKind.GATE_PASSED, release="one", identity="1", verdict=verdict
    )


def test_decisions_of_commands_that_run_at_the_same_time_are_all_kept(site: Site) -> None:
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda number: DecisionLog(client(site)).add(decision(str(number))), range(3)))
    assert sorted(each.verdict for each in DecisionLog(client(site)).read()) == ["0", "1", "2"]


def test_the_log_stays_within_what_a_variable_holds(site: Site) -> None:
    """Nomad refuses a Variable of more than 64 KiB, so the oldest decisions are removed."""
    log = DecisionLog(client(site))
    for number in range(52):
        log.add(decision(f"{number:03}{'x' * 600}"))
    found = log.read()
    assert (len(found), found[0].verdict[:3], found[-1].verdict[:3]) == (50, "051", "002")


def test_a_damaged_log_begins_anew_and_a_token_without_the_right_sees_none(site: Site) -> None:
    site.agent.call("PUT", f"var/{PATH}", {"Path": PATH, "Items": {"decisions": "{"}}, namespace=site.namespace)
    log = DecisionLog(client(site))
    assert log.read() == []
    log.add(decision("after"))
    assert [each.verdict for each in log.read()] == ["after"]
    assert decisions_if_allowed(client(site.with_old_token())) == []


def test_a_revert_is_recorded_and_shown_and_disturbs_no_record(site: Site) -> None:
    """The entry contains the result of the last gate. A revert that changes nothing adds no entry."""
    site.release(Release(name="one"))
    site.await_phase("settled")
    site.deploy("status")
    site.release(Release(name="two"))
    site.await_phase("waiting")
    assert site.deploy("revert").code == 0
    assert " release two (c0ffeetwo): revert; the last gate: no gate has compared it" in site.deploy("status").text
    site.deploy("revert")
    (only,) = DecisionLog(client(site)).read()
    assert (only.kind, only.release) == (DecisionKind.REVERT, "two (c0ffeetwo)")
    assert [each["release"] for each in site.records()] == ["one (c0ffeeone)"]
