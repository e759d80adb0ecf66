"""Formats the comparison of documents as text and figures. Pure functions."""

from collections.abc import Iterator

import msgspec

from upschedule.deploy.comparison.documents import DocumentComparison, DocumentMeasure, DocumentPeriod, Readings
from upschedule.deploy.comparison.report import once_in, ratio
from upschedule.deploy.comparison.verdict import ALL


class ReadingFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of one release and one layout. `events` is the mean of a document, None without documents.

    Documents that were refused have no layout: they are in the figures of all layouts together only.
    """

    documents: int
    refused: int
    warned: int
    events: float | None


class LayoutFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Measurements of both releases over the same time."""

    layout: str
    old: ReadingFigures
    canary: ReadingFigures


def figures(both: DocumentPeriod) -> list[LayoutFigures]:
    """The figures of all documents together, then of each layout."""
    return [
        LayoutFigures(layout=ALL, old=_of_all(both.old), canary=_of_all(both.new)),
        *(
            LayoutFigures(layout=each, old=_of_layout(both.old, each), canary=_of_layout(both.new, each))
            for each in sorted(both.old.layouts | both.new.layouts)
        ),
    ]


def lines(found: list[LayoutFigures]) -> Iterator[str]:
    """A table of text, two lines for each layout."""
    width = max(len(each.layout) for each in found)
    yield f"  {'':{width}}  {'release':7}  {'documents':>9}  {'refused':>7}  {'warned':>6}  {'events each':>11}"
    for each in found:
        for name, side in (("old", each.old), ("canary", each.canary)):
            events = "-" if side.events is None else f"{side.events:.2f}"
            layout = each.layout if name == "old" else ""
            yield f"  {layout:{width}}  {name:7}  {side.documents:9}  {side.refused:7}  {side.warned:6}  {events:>11}"


def describe_documents(comparison: DocumentComparison, both: DocumentPeriod) -> str:
    """The verdict, and how sure it is."""
    return (
        f"{comparison.verdict.value} after {both.new.documents} documents beside {both.old.documents} of the old "
        f"release: refused at most {max(0.0, comparison.refused_more_at_most):.1%} more often"
    )


def describe_document_measure(measure: DocumentMeasure) -> str:
    """One figure that makes the release worse, with both releases' numbers."""
    sentence = f"{measure.said} {ratio(measure.table)} documents, by chance once in {once_in(measure.chance)}"
    if measure.read is None:
        return sentence
    return f"{sentence}; most of all {measure.lacking}: read {ratio(measure.read)} documents"


def _of_all(side: Readings) -> ReadingFigures:
    layouts = side.layouts
    return _figures(
        side.documents,
        refused=side.refused(),
        warned=sum(map(side.warned, layouts)),
        events=sum(map(side.events, layouts)),
        counted=sum(map(side.counted, layouts)),
    )


def _of_layout(side: Readings, layout: str) -> ReadingFigures:
    return _figures(
        side.read(layout),
        refused=0,
        warned=side.warned(layout),
        events=side.events(layout),
        counted=side.counted(layout),
    )


def _figures(documents: int, *, refused: int, warned: int, events: int, counted: int) -> ReadingFigures:
    return ReadingFigures(
        documents=documents, refused=refused, warned=warned, events=events / counted if counted else None
    )
