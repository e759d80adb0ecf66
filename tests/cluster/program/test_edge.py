"""A certificate of the stack's own, or one that Traefik gets by ACME (R8.3, R8.4)."""

import pytest

from tests.support.cluster.program.configurations import GIVEN, REQUIRED, problems
from tests.support.cluster.program.whole_program import up

CERTIFICATE = ("traefikCertificate", "traefikCertificateKey")
WITHOUT = {name: value for name, value in GIVEN.items() if name not in CERTIFICATE}
ACME = {**REQUIRED, "acmeEmail": "operations@example.org", "domain": "schedule.example.org"}
MISSING = "is missing; set it with --secret, or acmeEmail and domain for ACME"
BESIDE = "cannot be set beside acmeEmail, which gets a certificate by ACME"


def test_a_given_certificate_is_what_traefik_shows() -> None:
    """And no authority is asked for another."""
    ran = up()

    assert ran.items["nomad/jobs/traefik"] == {
        "consul_token": GIVEN["traefikConsulToken"],
        "certificate": GIVEN["traefikCertificate"],
        "key": GIVEN["traefikCertificateKey"],
    }
    assert ran.variables("traefik")["acme_email"] == ""


def test_with_acme_there_is_no_certificate_to_keep() -> None:
    """Traefik has the address, the name and the server to ask."""
    ran = up({**ACME, "acmeServer": "https://pebble.example.org/dir", "acmeCertificatesDurationHours": "24"}, WITHOUT)
    given = ran.variables("traefik")

    assert ran.items["nomad/jobs/traefik"] == {"consul_token": GIVEN["traefikConsulToken"]}
    assert (given["acme_email"], given["domain"]) == ("operations@example.org", "schedule.example.org")
    assert given["acme_server"] == "https://pebble.example.org/dir"
    assert given["acme_certificates_duration_hours"] == "24"


@pytest.mark.parametrize(
    ("settings", "secrets", "expected"),
    [
        pytest.param(REQUIRED, WITHOUT, dict.fromkeys(CERTIFICATE, MISSING), id="neither"),
        pytest.param(
            REQUIRED,
            {**WITHOUT, "traefikCertificate": GIVEN["traefikCertificate"]},
            {"traefikCertificateKey": MISSING},
            id="no key",
        ),
        pytest.param(ACME, GIVEN, dict.fromkeys(CERTIFICATE, BESIDE), id="both"),
        pytest.param(
            ACME,
            {**WITHOUT, "traefikCertificateKey": GIVEN["traefikCertificateKey"]},
            {"traefikCertificateKey": BESIDE},
            id="a key",
        ),
        pytest.param(
            {**REQUIRED, "acmeEmail": "operations@example.org"},
            WITHOUT,
            {"domain": "is missing; ACME needs a name to get a certificate for"},
            id="no name",
        ),
        pytest.param(ACME, WITHOUT, {}, id="ACME alone"),
        pytest.param({**REQUIRED, "domain": "schedule.example.org"}, GIVEN, {}, id="a certificate for a name"),
    ],
)
def test_there_is_one_way_to_a_certificate(
    settings: dict[str, str], secrets: dict[str, str], expected: dict[str, str]
) -> None:
    """Not none, and not two of which nobody knows which is shown."""
    assert problems(settings, secrets) == expected


def test_the_domain_is_the_only_name_for_edge_and_api() -> None:
    """One setting for both; ports and networks go to Traefik as they are set."""
    settings = {"domain": "x.example", "httpPort": "8080", "httpsPort": "8443", "trustedIps": "10.0.0.0/8"}
    given = up({**REQUIRED, **settings, "hstsSeconds": "0"}).variables("traefik")

    assert given["domain"] == "x.example"
    assert (given["http_port"], given["https_port"]) == ("8080", "8443")
    assert (given["trusted_ips"], given["hsts_seconds"]) == ("10.0.0.0/8", "0")
