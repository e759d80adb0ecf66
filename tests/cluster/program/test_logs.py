"""The log shipper runs if the stack names a receiver, with a token that only reads logs."""

from components.access import log_shipper_rules
from tests.support.cluster.program.configurations import GIVEN, REQUIRED, problems
from tests.support.cluster.program.nomad_server import Nomad
from tests.support.cluster.program.recorded_engine import Ran, token_of
from tests.support.cluster.program.whole_program import up

WITHOUT_RECEIVER = {name: text for name, text in REQUIRED.items() if name != "logReceiver"}
WITHOUT_AUTHORITY = {name: text for name, text in GIVEN.items() if name != "logAuthority"}


def test_the_shipper_has_a_receiver_and_its_own_token(released: Ran[list[str]], nomad: Nomad) -> None:
    """The token is only in the job's Variable, beside the authority of the receiver's certificate (R8.1, R8.2)."""
    variables = released.variables("log-shipper")

    assert (variables["receiver"], variables["tls"], variables["buffer_mb"]) == ("logs.example.org:6514", "true", "256")
    assert (variables["every_seconds"], variables["confirm_seconds"]) == ("5", "5")
    assert released.items["nomad/jobs/log-shipper"] == {
        "nomad_token": token_of("log-shipper"),
        "authority": GIVEN["logAuthority"],
    }
    assert released.of("AclPolicy")["log-shipper"].inputs["rulesHcl"] == log_shipper_rules("whole")


def test_a_stack_without_a_receiver_has_no_shipper_and_no_token_for_it(nomad: Nomad) -> None:
    """By default, logs stay on the clients."""
    ran = up(WITHOUT_RECEIVER, WITHOUT_AUTHORITY)

    assert "log-shipper" not in ran.jobs
    assert "log-shipper" not in ran.of("AclToken")


def test_a_receiver_in_the_private_network_may_have_no_tls(nomad: Nomad) -> None:
    """Then an authority has no effect, and is refused."""
    settings = {**REQUIRED, "logReceiver": "10.0.0.5:514", "logTls": "false", "logBufferMb": "64"}
    variables = up(settings, WITHOUT_AUTHORITY).variables("log-shipper")

    assert (variables["receiver"], variables["tls"], variables["buffer_mb"]) == ("10.0.0.5:514", "false", "64")
    refused = {"logAuthority": "has no effect without logReceiver and logTls; remove it"}
    assert problems(settings) == refused
    assert problems(WITHOUT_RECEIVER) == refused


def test_a_receiver_is_a_host_and_a_port() -> None:
    """Nomad would accept any text."""
    assert problems({**REQUIRED, "logReceiver": "logs.example.org"}).keys() == {"logReceiver"}
    assert problems({**REQUIRED, "logReceiver": "https://logs.example.org:6514"}).keys() == {"logReceiver"}
