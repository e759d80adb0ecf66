"""The users of a node: one for each service, none of them root (R11.1).

Nomad looks up a task's user in the list that the task sees, so the machine itself need not have these users.
"""

from collections.abc import Mapping

PREFIX = "upschedule-"
UIDS: Mapping[str, int] = {
    "traefik": 7101,
    "api": 7102,
    "worker": 7103,
    "scheduler": 7104,
    "postgres": 7105,
    "pgbouncer": 7106,
    "redis-state": 7107,
    "redis-cache": 7108,
    "object-store": 7109,
    "prometheus": 7110,
    "autoscaler": 7111,
    "prepare": 7112,
    "release": 7113,
    "alertmanager": 7114,
    "supervisor": 7115,
    "postgres-exporter": 7116,
    "pgbouncer-exporter": 7117,
    "redis-exporter": 7118,
    "node-exporter": 7119,
    "blackbox-exporter": 7120,
    "synthetic": 7121,
    "backup-store": 7122,
    "backup": 7123,
    "object-copies": 7124,
    "log-shipper": 7125,
}
#: Users whose group is another's: the backups read PostgreSQL's files by it.
GROUPS: Mapping[str, str] = {"backup": "postgres"}


def passwd() -> str:
    """The text of /etc/passwd; the home folder exists in every task."""
    own = (
        f"{PREFIX}{name}:x:{uid}:{UIDS[GROUPS.get(name, name)]}::/local:/usr/sbin/nologin\n"
        for name, uid in UIDS.items()
    )
    return "".join(
        ["root:x:0:0::/root:/usr/sbin/nologin\n", *own, "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"]
    )


def group() -> str:
    """The text of /etc/group, with a group for each user that has one of its own."""
    own = (f"{PREFIX}{name}:x:{uid}:\n" for name, uid in UIDS.items() if name not in GROUPS)
    return "".join(["root:x:0:\n", *own, "nogroup:x:65534:\n"])
