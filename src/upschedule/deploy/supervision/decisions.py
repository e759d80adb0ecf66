"""Accepts a watched release on a person's order, and reports the watch for `status`."""

import datetime as dt

import msgspec

from upschedule.deploy.environment import Cluster
from upschedule.deploy.errors import ExitCode, ServerRefused
from upschedule.deploy.supervision.model import ACCEPTABLE, Watch, WatchVerdict
from upschedule.deploy.supervision.store import WatchStore


def accept(cluster: Cluster, reason: str, *, now: dt.datetime) -> ExitCode:
    """Ends the watch and keeps the release, even if its figures are bad or the supervisor could not revert it.

    Raises DeployError.
    """
    store = WatchStore(cluster.nomad)
    stored = store.read()
    watch = stored.watch
    if watch and watch.verdict is WatchVerdict.REVERTING:
        cluster.report(f"Release {watch.release} is being reverted already: {watch.reason}")
        return ExitCode.FAILED
    if watch is None or watch.verdict not in ACCEPTABLE:
        cluster.report("No release is watched: there is nothing to accept.")
        return ExitCode.NOTHING_TO_GATE
    accepted = msgspec.structs.replace(watch, verdict=WatchVerdict.ACCEPTED, reason=reason, ended=now.timestamp())
    store.write(accepted, over=stored.index)
    cluster.report(f"Release {watch.release} stays, and is no longer watched. Recorded: {reason}")
    return ExitCode.DONE


class WatchReport(msgspec.Struct, frozen=True, kw_only=True):
    """`until` and `ended` are seconds since 1970; `decisions` are earlier verdicts and accepted releases."""

    release: str
    verdict: WatchVerdict
    reason: str
    until: float | None
    ended: float | None
    decisions: list[str]


def watch_report(cluster: Cluster) -> WatchReport | None:
    """None if no release was ever watched, or if Nomad refuses the token because it is older than this feature."""
    try:
        watch = WatchStore(cluster.nomad).read().watch
    except ServerRefused as error:
        if error.is_forbidden:
            return None
        raise
    return _report(watch) if watch else None


def lines(report: WatchReport) -> list[str]:
    """Formats the text output. A pure function."""
    if report.verdict is WatchVerdict.WATCHING and report.until:
        said = f"watched until {_time(report.until)}"
    elif report.ended:
        said = f"{report.verdict.value} at {_time(report.ended)}"
    else:
        said = report.verdict.value
    head = f"watch: release {report.release}: {said}" + (f": {report.reason}" if report.reason else "")
    return [head, *(f"  before: {each}" for each in report.decisions)]


def _report(watch: Watch) -> WatchReport:
    return WatchReport(
        release=watch.release,
        verdict=watch.verdict,
        reason=watch.reason,
        until=watch.until or None,
        ended=watch.ended or None,
        decisions=list(watch.earlier),
    )


def _time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC).astimezone().isoformat(sep=" ", timespec="seconds")
