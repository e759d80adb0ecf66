"""The bounds of every setting that has bounds."""

import msgspec
import pytest

from config import read_settings
from tests.support.cluster.program.configurations import REQUIRED, SETTINGS, configure, fields, problems
from tests.support.cluster.program.recorded_engine import run

PORT = (1, 65_535)
MEGABYTES = (16, None)
COUNT = (1, None)
ANY = (0, None)
#: Lowest and highest accepted value. None means that there is no upper bound.
WHOLE_NUMBERS: dict[str, tuple[int, int | None]] = {
    "postgresPort": PORT,
    "pgbouncerPort": PORT,
    "redisStatePort": PORT,
    "redisCachePort": PORT,
    "objectStorePort": PORT,
    "objectStoreMasterPort": PORT,
    "backupStorePort": PORT,
    "backupStoreMasterPort": PORT,
    "backupStoreMemoryMb": MEGABYTES,
    "backupMemoryMb": MEGABYTES,
    "archiveQueueMb": MEGABYTES,
    "archiveSeconds": COUNT,
    "archiveStopSeconds": (1, 40),
    "objectCopySeconds": COUNT,
    "backupKeepDays": COUNT,
    "backupLockDays": COUNT,
    "httpPort": PORT,
    "httpsPort": PORT,
    "prometheusPort": PORT,
    "alertmanagerPort": PORT,
    "traefikMemoryMb": MEGABYTES,
    "postgresMemoryMb": MEGABYTES,
    "postgresVersion": (15, None),
    "redisStateMemoryMb": MEGABYTES,
    "redisCacheMemoryMb": MEGABYTES,
    "prometheusMemoryMb": MEGABYTES,
    "alertmanagerMemoryMb": MEGABYTES,
    "prometheusKeepMb": MEGABYTES,
    "apiMemoryMb": MEGABYTES,
    "workerMemoryMb": MEGABYTES,
    "prometheusKeepDays": COUNT,
    "scrapeSeconds": COUNT,
    "alertGroupSeconds": COUNT,
    "alertRegroupSeconds": COUNT,
    "alertRepeatSeconds": COUNT,
    "alertTicketRepeatSeconds": COUNT,
    "alertWatchdogSeconds": COUNT,
    "sourceSeconds": COUNT,
    "autoscalerCooldownSeconds": COUNT,
    "apiRequestsPerInstance": COUNT,
    "workerJobsPerInstance": COUNT,
    "acmeCertificatesDurationHours": COUNT,
    "apiInstances": COUNT,
    "apiInstancesMin": COUNT,
    "apiInstancesMax": COUNT,
    "workerInstances": COUNT,
    "workerInstancesMin": COUNT,
    "workerInstancesMax": COUNT,
    "schedulerInstances": COUNT,
    "apiCpuMhz": COUNT,
    "workerCpuMhz": COUNT,
    "releaseMinHealthySeconds": COUNT,
    "migrationBlockingSeconds": COUNT,
    "releaseBackupHours": COUNT,
    "releaseHealthySeconds": (60, None),
    "apiCores": ANY,
    "workerCores": ANY,
    "hstsSeconds": ANY,
    "watchSeconds": COUNT,
    "watchBaselineSeconds": COUNT,
    "watchSliceSeconds": COUNT,
    "watchRestartsMax": ANY,
    "syntheticEverySeconds": (10, None),
    "syntheticDocumentSeconds": COUNT,
    "logBufferMb": MEGABYTES,
    "logEverySeconds": COUNT,
    "logConfirmSeconds": COUNT,
}
#: An empty text is a valid value of these settings.
MAY_BE_EMPTY = {
    "userPrefix",
    "serviceHost",
    "postgresAddress",
    "objectStoreAddress",
    "backupStoreAddress",
    "backupStoreHost",
    "domain",
    "trustedIps",
    "acmeEmail",
    "acmeCaCertificate",
    "nomadCaFile",
    "alertSmtpAddress",
    "alertSmtpUser",
    "alertMailFrom",
    "alertMailTo",
    "alertTicketMailTo",
    "syntheticMail",
    "logReceiver",
    "release",
    "releaseSource",
    # An empty text is not valid JSON.
    "settings",
}


def reading(name: str, value: str) -> tuple[object, str]:
    """Returns the parsed value and the error message for one setting."""
    values, errors = run(lambda: read_settings(configure({**REQUIRED, name: value}, {}), SETTINGS)).result
    return values.get(name), errors.get(name, "")


def test_every_whole_number_has_bounds_here() -> None:
    """A new setting needs a line in `WHOLE_NUMBERS`."""
    assert WHOLE_NUMBERS.keys() == fields(msgspec.inspect.IntType).keys()


@pytest.mark.parametrize("name", WHOLE_NUMBERS)
def test_a_whole_number_is_taken_up_to_its_bounds_and_not_beyond(name: str) -> None:
    """Otherwise Nomad would refuse the value in the middle of an `up`, or accept a wrong one."""
    lowest, highest = WHOLE_NUMBERS[name]
    most = highest or 1_000_000

    assert reading(name, str(lowest)) == (lowest, "")
    assert reading(name, str(most)) == (most, "")
    assert reading(name, str(lowest - 1)) == (None, f"Expected `int` >= {lowest}, not '{lowest - 1}'")
    if highest:
        assert reading(name, str(highest + 1)) == (None, f"Expected `int` <= {highest}, not '{highest + 1}'")


@pytest.mark.parametrize("value", ["", "much", "1.5", "0x10", "1 000"])
def test_an_invalid_whole_number_is_reported_with_its_value(value: str) -> None:
    """The message quotes the value, since readers of the message may not have the configuration at hand."""
    read, message = reading("apiMemoryMb", value)

    assert read is None
    assert message.startswith("Expected `int`")
    assert message.endswith(f", not {value!r}")


@pytest.mark.parametrize("name", sorted(fields(msgspec.inspect.StrType)))
def test_a_text_is_empty_only_where_that_means_something(name: str) -> None:
    """An empty path or address would start a task that cannot run."""
    expected = ("", "") if name in MAY_BE_EMPTY else (None, "Expected `str` of length >= 1, not ''")

    assert reading(name, "") == expected


@pytest.mark.parametrize("name", sorted(fields(msgspec.inspect.BoolType)))
def test_a_switch_is_true_or_false(name: str) -> None:
    """These are the values that `pulumi config set` stores. Other words are refused, not guessed."""
    assert reading(name, "true") == (True, "")
    assert reading(name, "false") == (False, "")
    assert reading(name, "on") == (None, "Expected `bool`, got `str`, not 'on'")


@pytest.mark.parametrize(
    ("address", "taken"),
    [
        ("database.example.org:5432", True),
        ("[2001:db8::1]:5432", True),
        ("database.example.org", False),
        ("database.example.org:", False),
        (":5432", False),
        ("database.example.org:postgres", False),
        ("postgresql://database.example.org:5432", False),
        ("database.example.org:99999", False),
    ],
)
@pytest.mark.parametrize("name", ["postgresAddress", "objectStoreAddress", "consulAddress"])
def test_a_server_elsewhere_is_a_host_and_a_port(name: str, address: str, taken: bool) -> None:  # noqa: FBT001 - a parameter
    """PgBouncer gets host and port separately.

    Without this check, Nomad refuses a job without a port only in the middle of an `up`.
    """
    refused = f"cannot be used: write HOST:PORT without http://, the port from 1 to 65535, not {address!r}"
    assert problems({**REQUIRED, name: address}).get(name, "") == ("" if taken else refused)


@pytest.mark.parametrize("name", ["acmeServer", "releaseSource"])
def test_a_url_of_the_stack_is_checked(name: str) -> None:
    message = problems({**REQUIRED, name: "https://h:99999/x"}).get(name, "")
    assert message.startswith("cannot be used: write http://HOST:PORT/")
    assert name not in problems({**REQUIRED, name: "https://h.example:8443/x"})


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"apiInstancesMin": "21"}, {"apiInstancesMin": "is above apiInstancesMax, 20"}),
        ({"workerInstancesMax": "1"}, {"workerInstancesMin": "is above workerInstancesMax, 1"}),
        (
            {"releaseHealthySeconds": "60", "releaseMinHealthySeconds": "60"},
            {"releaseMinHealthySeconds": "is not below releaseHealthySeconds, 60"},
        ),
        ({"apiInstancesMin": "7", "apiInstancesMax": "7"}, {}),
        ({"releaseHealthySeconds": "60", "releaseMinHealthySeconds": "59"}, {}),
    ],
)
def test_bounds_leave_each_other_room(settings: dict[str, str], expected: dict[str, str]) -> None:
    """Otherwise Nomad would refuse the job after stores and edge have already changed (R10.1, R10.2)."""
    assert problems({**REQUIRED, **settings}) == expected
