"""The configuration of a stack is read once, and all errors are reported before the first resource changes."""

import msgspec
import pulumi
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config import ConfigurationError, read_settings
from parts import application, edge, stores
from tests.support.cluster.program.configurations import (
    GIVEN,
    OPTIONAL_SECRETS,
    REQUIRED,
    SECRETS,
    SETTINGS,
    configure,
    fields,
    loaded,
    pem,
    problems,
)
from tests.support.cluster.program.recorded_engine import run
from tests.support.cluster.program.secret_readers import ALL

WRONG = """The configuration of stack dev cannot be used:
  redisProgram: is missing
  redisCachePort: Expected `int` >= 1, not '0'
  objectStoreSecure: Expected `bool`, got `str`, not 'yes'
  httpsPort: Expected `int` <= 65535, not '70000'
  prometheusVolume: Expected `str` of length >= 1, not ''
  workerMemoryMb: Expected `int`, got `str`, not 'much'
  redisStatePassword: is missing; set it with --secret
  feedSecret: is missing; set it with --secret
  storesKey: is stored in the clear; set it with --secret
  objectStoreApplicationKeyBefore: is stored in the clear; set it with --secret"""


def test_what_is_required_is_enough() -> None:
    """All other settings have defaults."""
    assert problems() == {}


def test_all_errors_are_reported_together() -> None:
    """Values are missing, of a wrong type, out of bounds or contradictory, and secrets are not encrypted."""
    settings = {
        "traefikProgram": "/usr/bin/traefik",
        "publicUrl": "https://schedule.example.org",
        "httpsPort": "70000",
        "redisCachePort": "0",
        "objectStoreSecure": "yes",
        "prometheusVolume": "",
        "syntheticMail": "synthetic@example.org",
        "logReceiver": "logs.example.org:6514",
        "workerMemoryMb": "much",
    }
    secrets = {name: value for name, value in GIVEN.items() if name not in ("redisStatePassword", "feedSecret")}
    secrets["objectStoreApplicationKeyBefore"] = ALL["objectStoreApplicationKeyBefore"]

    def refused() -> str:
        with pytest.raises(ConfigurationError) as caught:
            loaded(settings, secrets, clear=("storesKey", "objectStoreApplicationKeyBefore"))
        return str(caught.value)

    assert run(refused).result == WRONG


def test_valid_parts_are_checked_beside_invalid_ones() -> None:
    """All errors are reported together, so that an operator corrects them in one step."""
    found = problems({**REQUIRED, "redisCachePort": "0", "acmeEmail": "operations@example.org", "domain": "x.example"})

    assert set(found) == {"redisCachePort", *edge.OPTIONAL_SECRETS}


def test_every_missing_secret_is_named_and_optional_ones_are_not() -> None:
    """An operator sets up a new stack from this list. Without ACME, the certificate is on it."""
    secret = "is missing; set it with --secret"
    found = problems(secrets={})

    assert found == {
        **dict.fromkeys(SECRETS, secret),
        **dict.fromkeys(edge.OPTIONAL_SECRETS, f"{secret}, or acmeEmail and domain for ACME"),
        # These settings name a user of the mail server.
        "alertSmtpPassword": "is missing; alertSmtpUser needs it",
        "syntheticPassword": "is missing; set it with --secret, or remove syntheticMail",
    }


@pytest.mark.parametrize("name", [*SECRETS, *OPTIONAL_SECRETS])
def test_a_secret_in_the_clear_is_refused_without_being_shown(name: str) -> None:
    """Otherwise the secret would be in a file that is committed (R8.2)."""
    found = problems(secrets=ALL, clear=(name,))

    assert found == {name: "is stored in the clear; set it with --secret"}


@pytest.mark.parametrize("secret", ["it's", 'a "b"', "back\\slash", "two words", "line\n", "gr\u00fc\u00df", ""])
def test_a_password_that_some_servers_file_would_misread_is_refused_without_being_shown(secret: str) -> None:
    """The message names a command that makes a suitable password."""
    found = problems(secrets={**GIVEN, "postgresOwnerPassword": secret})

    assert found == {
        "postgresOwnerPassword": "holds a space, a quote or the like; `openssl rand -hex 24` makes one without"
    }


def test_documents_have_lines_and_quotes_of_their_own() -> None:
    """Accepted are certificates with their issuers, keys of any kind, and a key pair in JSON."""
    chain = pem("CERTIFICATE", pem("CERTIFICATE", ""))
    documents = {"storesAuthority": chain, "storesKey": pem("EC PRIVATE KEY", "")}

    assert problems(secrets={**ALL, **documents}) == {}


@pytest.mark.parametrize(
    ("name", "secret", "problem"),
    [
        ("storesAuthority", "s3cret-word", "is no certificate in PEM"),
        ("storesCertificate", pem("PRIVATE KEY", "s3cret-word"), "is no certificate in PEM"),
        ("traefikCertificate", pem("CERTIFICATE", "").replace("MIIB", "s3cret-word"), "is no certificate in PEM"),
        ("storesKey", pem("CERTIFICATE", "s3cret-word"), "is no private key in PEM"),
        ("traefikCertificateKey", "-----BEGIN PRIVATE KEY-----\ns3cret-word", "is no private key in PEM"),
        (
            "objectStoreApplicationKeyBefore",
            '{"accessKey": "s3cret-word"}',
            'is not of the form {"accessKey": …, "secretKey": …}',
        ),
    ],
    ids=["word", "key", "damaged", "certificate", "cut off", "half a pair"],
)
def test_a_document_of_another_form_is_refused_without_being_shown(name: str, secret: str, problem: str) -> None:
    """Otherwise a server would refuse it after others have already changed."""
    assert problems(secrets={**ALL, name: secret}) == {name: problem}


def test_unknown_keys_are_refused_with_the_nearest_name() -> None:
    """Otherwise a misspelt setting would keep its default, and a misspelt secret would have no effect."""
    settings = {**REQUIRED, "workerMemoryMB": "4096", "realm": "x", "other:redisCachePort": "6380", "nomad:region": "x"}

    assert problems(settings, {**GIVEN, "storeAuthority": "s3cret-word"}) == {
        "workerMemoryMB": "no such setting; the nearest is workerMemoryMb",
        "realm": "no such setting",
        "other:redisCachePort": "no such namespace; the program reads upschedule:redisCachePort",
        "storeAuthority": "no such setting; the nearest is storesAuthority",
    }


def test_a_part_gets_its_own_settings_in_its_own_types() -> None:
    """A setting that two parts share reaches both."""
    chosen = {**REQUIRED, "domain": "x.example", "objectStoreSecure": "true", "apiMemoryMb": "4096"}
    found = run(lambda: [loaded(chosen).of(part) for part in SETTINGS]).result

    by_type = {type(settings): settings for settings in found}
    assert by_type[stores.StoresConfig] == stores.StoresConfig(
        redis_program=REQUIRED["redisProgram"], object_store_secure=True
    )
    assert by_type[edge.EdgeConfig] == edge.EdgeConfig(traefik_program=REQUIRED["traefikProgram"], domain="x.example")
    assert by_type[application.ApplicationConfig] == application.ApplicationConfig(
        public_url=REQUIRED["publicUrl"], domain="x.example", api_memory_mb=4096
    )


def test_secrets_stay_secrets() -> None:
    """Pulumi encrypts them in its state and prints [secret] instead of them (R8.2)."""

    def exported() -> None:
        for name, secret in loaded().secrets.items():
            pulumi.export(name, secret)

    ran = run(exported)
    assert ran.outputs == GIVEN
    assert ran.secret == set(GIVEN)


def test_a_name_means_one_thing() -> None:
    """A setting that two parts share has one type and one default, and no secret has the name of a setting."""
    declared: dict[str, tuple[object, object]] = {}
    for group in SETTINGS:
        for field in msgspec.structs.fields(group):
            assert declared.setdefault(field.encode_name, (field.type, field.default)) == (
                field.type,
                field.default,
            )

    assert not {*SECRETS, *OPTIONAL_SECRETS} & set(declared)


@given(st.dictionaries(st.sampled_from(sorted(fields())), st.text(max_size=8)))
@settings(deadline=None)
def test_whatever_is_set_is_used_or_complained_of(chosen: dict[str, str]) -> None:
    """No value of a setting makes the program end in another way, and no setting is dropped."""
    values, errors = run(lambda: read_settings(configure(chosen, {}), SETTINGS)).result

    required = {name for name, field in fields().items() if field.required}
    assert values.keys() | errors.keys() == chosen.keys() | required
    assert not values.keys() & errors.keys()
    assert all(repr(chosen[name]) in errors[name] for name in errors.keys() & chosen.keys())
