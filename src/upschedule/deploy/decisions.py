"""Logs the results of gates and the decisions of people about releases, in one Nomad Variable."""

import enum
from collections.abc import Mapping, Sequence
from http import HTTPStatus

import msgspec

from upschedule.deploy.environment import Cluster
from upschedule.deploy.errors import DeployError, ServerRefused
from upschedule.deploy.nomad import NomadClient
from upschedule.deploy.records.model import identity_of
from upschedule.deploy.rollout_state import RolloutState

#: Beside the records, because their token may write it. Its name cannot be the name of a record.
PATH = "releases/decisions"
_PARTS = PATH.split("/")
_DECISIONS_MAX = 50
_VERDICT_CHARACTERS = 600
#: Another command may write at the same time.
_TRIES_MAX = 5
NOT_COMPARED = "no gate has compared it"


class DecisionKind(enum.StrEnum):
    """Promotions and reverts are recorded when they begin, so that they are known even if the command is killed."""

    GATE_PASSED = "gate passed"
    GATE_NOT_PASSED = "gate not passed"
    GATE_NOT_SURE = "gate not sure"
    PROMOTION_WITHOUT_GATE = "promotion without the gate"
    REVERT = "revert"


_OF_GATE = frozenset({DecisionKind.GATE_PASSED, DecisionKind.GATE_NOT_PASSED, DecisionKind.GATE_NOT_SURE})


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """`at` is a time in UTC, `identity` that of the release's record.

    `verdict` is what the gate found; of a person's decision, what the last gate before it had found.
    """

    at: str
    kind: DecisionKind
    release: str
    identity: str
    verdict: str


class DecisionLog:
    """The newest first. Raises ServerUnreachable and ServerRefused."""

    def __init__(self, nomad: NomadClient) -> None:
        self._nomad = nomad

    def read(self) -> list[Decision]:
        """A damaged log is treated as empty."""
        known, _ = self._stored()
        return known

    def add(self, decision: Decision) -> None:
        """Keeps what another command adds at the same time."""
        for left in reversed(range(_TRIES_MAX)):
            known, index = self._stored()
            items = {"decisions": msgspec.json.encode([decision, *known][:_DECISIONS_MAX]).decode()}
            try:
                self._nomad.call("PUT", "var", *_PARTS, body={"Path": PATH, "Items": items}, cas=str(index))
            except ServerRefused as error:
                if error.status != HTTPStatus.CONFLICT or not left:
                    raise
            else:
                return

    def _stored(self) -> tuple[list[Decision], int]:
        """The stored log and Nomad's index of the Variable, 0 if there is none."""
        found = self._nomad.find("var", *_PARTS)
        if not found:
            return [], 0
        try:
            return msgspec.json.decode(found["Items"]["decisions"], type=list[Decision]), found["ModifyIndex"]
        except (msgspec.MsgspecError, KeyError):
            return [], found["ModifyIndex"]


def record_gate(cluster: Cluster, states: Mapping[str, RolloutState], kind: DecisionKind, verdict: str) -> None:
    """The result of a gate does not depend on whether it is recorded."""
    _record(cluster, states, kind, verdict)


def record_decision(cluster: Cluster, states: Mapping[str, RolloutState], kind: DecisionKind) -> None:
    """Records a decision with the verdict of the release's last gate. A failure does not stop the decision."""
    _record(cluster, states, kind, None)


def decisions_if_allowed(nomad: NomadClient) -> list[Decision]:
    """None also where the token is one from before the records. Raises ServerUnreachable and ServerRefused."""
    try:
        return DecisionLog(nomad).read()
    except ServerRefused as error:
        if error.is_forbidden:
            return []
        raise


def lines(decisions: Sequence[Decision]) -> list[str]:
    """Formats the text output. A pure function."""
    return [f"  {each.at} release {each.release}: {each.kind.value}; {_found(each)}" for each in decisions]


def _found(decision: Decision) -> str:
    return f"{'it found' if decision.kind in _OF_GATE else 'the last gate'}: {decision.verdict}"


def _record(cluster: Cluster, states: Mapping[str, RolloutState], kind: DecisionKind, verdict: str | None) -> None:
    log = DecisionLog(cluster.nomad)
    identity = identity_of({name: each.fingerprint for name, each in states.items()})
    known = [each for each in states.values() if each.job]
    concerned = [each for each in known if each.is_under_way] or known
    releases = sorted({each.job.release for each in concerned if each.job})
    try:
        if verdict is None:
            gates = (each for each in log.read() if each.identity == identity and each.kind in _OF_GATE)
            verdict = next((f"{each.kind.value}: {each.verdict}" for each in gates), NOT_COMPARED)
        log.add(
            Decision(
                at=cluster.clock.utc_now().strftime("%Y-%m-%d %H:%M:%S UTC"),
                kind=kind,
                release=", ".join(releases),
                identity=identity,
                verdict=verdict[:_VERDICT_CHARACTERS],
            )
        )
    except DeployError as error:
        cluster.report(f"The decision is not recorded, and the command goes on: {error}")
