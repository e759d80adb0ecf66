"""The canary's share of the visitors as it is now, and the comparison so far: for whoever looks while a gate runs."""

import msgspec

from upschedule.deploy.comparison import report
from upschedule.deploy.comparison.measured import period, read
from upschedule.deploy.nomad import NomadClient
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.share import ShareVariable


class ShareReport(msgspec.Struct, frozen=True, kw_only=True):
    """`routes` begins with all requests together."""

    canary: str
    percent: int
    since: int
    routes: list[report.RouteFigures]


def share_report(nomad: NomadClient, prometheus: Prometheus) -> ShareReport | None:
    """None while no share is set, or when its time is up. Raises DeployError."""
    share, now = ShareVariable(nomad).read(), prometheus.now()
    if share is None or now is None or now >= share.until:
        return None
    both = period(read(prometheus, at=share.since), read(prometheus), canaries={share.instance})
    return ShareReport(canary=share.instance, percent=share.percent, since=share.since, routes=report.figures(both))


def lines(share: ShareReport) -> list[str]:
    """The text output. Pure."""
    head = f"  the canary gets {share.percent} % of the visitors; both releases since the comparison began:"
    return [head, *(f"  {line}" for line in report.lines(share.routes))]
