"""Names and secrets of API, worker, scheduler and backups in the stores (decision 16).

Each secret is derived from one of the stack's secrets, so the operator keeps and rotates no more of them. A derived
secret reveals neither the stack's nor any other derived one. The package `upschedule.operations.privileges` declares
what each identity may do.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping

import pulumi

from upschedule.operations.privileges.identities import BACKUPS, PROCESSES
from upschedule.operations.privileges.objects import actions_of
from upschedule.operations.privileges.redis import Redis, rules

UPLOADS_BUCKET = "uploads"
#: What the monitoring uses in PostgreSQL, PgBouncer and both Redis servers: statistics, and no data.
MONITOR = "monitor"
MONITOR_ROLE = f"upschedule_{MONITOR}"


def derive_secret(secret: str, use: str) -> str:
    """The secret of one identity. `openssl dgst -sha256 -hmac SECRET` over its name prints the same."""
    return hmac.digest(secret.encode(), use.encode(), hashlib.sha256).hex()


def derive_output(secret: pulumi.Output[str], use: str) -> pulumi.Output[str]:
    """Like `derive_secret`, but for a secret of the stack."""
    return secret.apply(lambda word: derive_secret(word, use))


def process_passwords(secret: pulumi.Output[str]) -> dict[str, pulumi.Output[str]]:
    """The items of the processes' passwords in the Nomad Variables of PostgreSQL, PgBouncer and Redis."""
    return {f"{process}_password": derive_output(secret, process) for process in PROCESSES}


def redis_rules(server: Redis) -> Mapping[str, str]:
    """The job variables with the ACL rules of each user of one Redis server."""
    return {f"{user}_rules": text for user, text in rules(server).items()}


def object_store_identities(pairs: list[tuple[str, str]]) -> str:
    """Entries of the store's file of identities.

    `pairs` are access key and secret key of the stack: the present pair, and the pair before it if there is one.
    """
    identities = [
        {
            "name": process,
            "credentials": [
                {"accessKey": f"{access}-{process}", "secretKey": derive_secret(secret, process)}
                for access, secret in pairs
            ],
            "actions": actions_of(process, UPLOADS_BUCKET),
        }
        for process in (*PROCESSES, *BACKUPS)
    ]
    return ", ".join(map(json.dumps, identities))
