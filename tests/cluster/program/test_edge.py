"""The certificate of the edge: one that the stack provides, or one that Traefik gets by ACME (R8.3, R8.4)."""

import pytest

from tests.support.cluster.program.configurations import GIVEN, REQUIRED, problems
from tests.support.cluster.program.whole_program import up

CERTIFICATE = ("traefikCertificate", "traefikCertificateKey")
WITHOUT = {name: value for name, value in GIVEN.items() if name not in CERTIFICATE}
ACME = {**REQUIRED, "acmeEmail": "operations@example.org", "domain": "schedule.example.org"}
MISSING = "is missing; set it with --secret, or acmeEmail and domain for ACME"
BESIDE = "cannot be set beside acmeEmail, which gets a certificate by ACME"


def test_a_given_certificate_is_what_traefik_shows() -> None:
    """Traefik does not request another one by ACME."""
    ran = up()

    assert ran.items["nomad/jobs/traefik"] == {
        "consul_token": GIVEN["traefikConsulToken"],
        "certificate": GIVEN["traefikCertificate"],
        "key": GIVEN["traefikCertificateKey"],
    }
    assert ran.variables("traefik")["acme_email"] == ""


def test_with_acme_there_is_no_certificate_to_keep() -> None:
    """Traefik gets the address, the domain and the ACME server."""
    ran = up({**ACME, "acmeServer": "https://pebble.example.org/dir", "acmeCertificatesDurationHours": "24"}, WITHOUT)
    variables = ran.variables("traefik")

    assert ran.items["nomad/jobs/traefik"] == {"consul_token": GIVEN["traefikConsulToken"]}
    assert (variables["acme_email"], variables["domain"]) == ("operations@example.org", "schedule.example.org")
    assert variables["acme_server"] == "https://pebble.example.org/dir"
    assert variables["acme_certificates_duration_hours"] == "24"


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
    """No source of a certificate is refused, and so are two, since it would be unclear which one Traefik uses."""
    assert problems(settings, secrets) == expected


def test_the_domain_is_the_only_name_for_edge_and_api() -> None:
    """One setting serves both. Ports and networks are passed to Traefik unchanged."""
    settings = {"domain": "x.example", "httpPort": "8080", "httpsPort": "8443", "trustedIps": "10.0.0.0/8"}
    variables = up({**REQUIRED, **settings, "hstsSeconds": "0"}).variables("traefik")

    assert variables["domain"] == "x.example"
    assert (variables["http_port"], variables["https_port"]) == ("8080", "8443")
    assert (variables["trusted_ips"], variables["hsts_seconds"]) == ("10.0.0.0/8", "0")
