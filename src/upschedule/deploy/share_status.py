"""Reports the canaries' current shares and the comparisons so far, while a gate runs."""

import msgspec

from upschedule.deploy.comparison import document_report, documents, measured, report
from upschedule.deploy.nomad import NomadClient
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.share import DocumentShareVariable, ShareVariable


class ShareReport(msgspec.Struct, frozen=True, kw_only=True):
    """The API canary's share of the visitors. `routes` begins with all requests together."""

    canary: str
    percent: int
    since: int
    routes: list[report.RouteFigures]


class DocumentShareReport(msgspec.Struct, frozen=True, kw_only=True):
    """The worker canary's share of the documents. `layouts` begins with all documents together."""

    canary: str
    percent: int
    since: int
    layouts: list[document_report.LayoutFigures]


def share_report(nomad: NomadClient, prometheus: Prometheus) -> ShareReport | None:
    """None while no share is set, or when its time is up. Raises DeployError."""
    share, now = ShareVariable(nomad).read(), prometheus.now()
    if share is None or now is None or now >= share.until:
        return None
    before, after = measured.read(prometheus, at=share.since), measured.read(prometheus)
    both = measured.period(before, after, canaries={share.instance})
    return ShareReport(canary=share.instance, percent=share.percent, since=share.since, routes=report.figures(both))


def document_share_report(nomad: NomadClient, prometheus: Prometheus) -> DocumentShareReport | None:
    """None while no share is set, or when its time is up. Raises DeployError."""
    share, now = DocumentShareVariable(nomad).read(), prometheus.now()
    if share is None or now is None or now >= share.until:
        return None
    before, after = documents.read(prometheus, at=share.since), documents.read(prometheus)
    both = documents.period(before, after, canaries={share.instance})
    return DocumentShareReport(
        canary=share.instance, percent=share.percent, since=share.since, layouts=document_report.figures(both)
    )


def lines(share: ShareReport) -> list[str]:
    """Formats the text output. A pure function."""
    return [_head(share.percent, "visitors"), *(f"  {line}" for line in report.lines(share.routes))]


def document_lines(share: DocumentShareReport) -> list[str]:
    """Formats the text output. A pure function."""
    return [_head(share.percent, "documents"), *(f"  {line}" for line in document_report.lines(share.layouts))]


def _head(percent: int, of: str) -> str:
    return f"  the canary gets {percent} % of the {of}; both releases since the comparison began:"
