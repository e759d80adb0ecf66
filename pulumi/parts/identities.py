"""Names and secrets of API, worker and scheduler in the stores (decision 16).

Each secret is derived from one of the stack's, so a person keeps and rotates as many as before; who has a derived one
cannot find the others. What each identity may do is declared in the package, which runs on one machine as well.
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path

import pulumi

PROCESSES = ("api", "worker", "scheduler")
DECLARED = Path(__file__).parents[2] / "src" / "upschedule" / "operations" / "privileges"


def derived(secret: str, use: str) -> str:
    """Of a stack's secret, for one identity. `openssl dgst -sha256 -hmac SECRET` over the name prints the same."""
    return hmac.digest(secret.encode(), use.encode(), hashlib.sha256).hex()


def derive(secret: pulumi.Output[str], use: str) -> pulumi.Output[str]:
    return secret.apply(lambda word: derived(word, use))


def passwords(secret: pulumi.Output[str]) -> dict[str, pulumi.Output[str]]:
    """As the jobs of PostgreSQL, PgBouncer and Redis name them."""
    return {f"{process}_password": derive(secret, process) for process in PROCESSES}


def redis_rules(server: str) -> Mapping[str, str]:
    """Of a job's variables; `server` is `state` or `cache`."""
    lines = (DECLARED / f"redis-{server}.acl").read_text(encoding="utf-8").splitlines()
    users = (line.split(" ", 1) for line in lines if line and not line.startswith("#"))
    return {f"{user}_rules": rules for user, rules in users}


def object_store_identities(pairs: list[tuple[str, str]]) -> str:
    """Entries of the store's file. `pairs`: access key and secret of the stack, the present one and the one before."""
    actions = json.loads((DECLARED / "objects.json").read_text(encoding="utf-8"))
    found = [
        {
            "name": process,
            "credentials": [
                {"accessKey": f"{access}-{process}", "secretKey": derived(secret, process)} for access, secret in pairs
            ],
            # Every key may ask for this object; readiness does.
            "actions": [*(f"{action}:uploads" for action in actions[process]), "Read:uploads/.ready*"],
        }
        for process in PROCESSES
    ]
    return ", ".join(map(json.dumps, found))
