"""Gives the worker's canary a share of the documents, and compares what both releases read meanwhile."""

from dataclasses import dataclass, field

from upschedule.deploy.comparison.document_report import describe_document_measure, describe_documents
from upschedule.deploy.comparison.documents import (
    DocumentComparison,
    DocumentLimits,
    DocumentPeriod,
    DocumentSnapshot,
    compare_documents,
    period,
    read,
)
from upschedule.deploy.comparison.verdict import Verdict
from upschedule.deploy.findings import Finding
from upschedule.deploy.probe.metrics import Prometheus
from upschedule.deploy.share import DocumentShare, DocumentShareVariable

DOCUMENTS = "canary's documents beside the old release's"


@dataclass(kw_only=True)
class ComparedDocuments:
    """`canary` is an allocation of the worker. `live` is the number of the others; `looks` that of comparisons."""

    share: DocumentShareVariable
    prometheus: Prometheus
    canary: str
    live: int
    limits: DocumentLimits
    looks: int
    comparison: DocumentComparison = field(init=False)
    name = "documents"

    def __post_init__(self) -> None:
        self._first: DocumentSnapshot = read(self.prometheus)
        self._last = self._first
        self.comparison = self._compare()

    @property
    def is_worse(self) -> bool:
        return self.comparison.verdict is Verdict.WORSE

    @property
    def is_open(self) -> bool:
        """Whether more documents are needed: only if a minimum was demanded, since few arrive at most hours."""
        return not self.is_worse and self._both().new.documents < self.limits.documents_min

    def give(self, percent: int, *, until: int, since: int) -> None:
        """Changes the canary's share."""
        self.share.write(DocumentShare(instance=self.canary, percent=percent, until=until, since=since))

    def measure(self) -> None:
        """Compares anew. Raises DeployError, and can be repeated then."""
        self._last = read(self.prometheus).after(self._last)
        self.comparison = self._compare()

    def findings(self) -> list[Finding]:
        """The verdict, and each figure that makes the canary worse."""
        overall = Finding(
            subject=DOCUMENTS,
            ok=not self.is_worse and not self.is_open,
            unsure=self.is_open,
            detail=describe_documents(self.comparison, self._both()),
        )
        worse = [
            Finding(subject=DOCUMENTS, ok=False, detail=describe_document_measure(each))
            for each in self.comparison.worse
        ]
        return [overall, *worse]

    def _both(self) -> DocumentPeriod:
        return period(self._first, self._last, canaries={self.canary})

    def _compare(self) -> DocumentComparison:
        return compare_documents(self._both(), self.limits, looks=self.looks)
