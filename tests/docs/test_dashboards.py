"""`monitoring/dashboards/` has what `tools/dashboards.py` writes."""

from tests.support.metric_names import DASHBOARDS, dashboard_queries
from tools import dashboards


def test_every_dashboard_is_written_anew_by_its_program() -> None:
    """A file that was changed by hand, or that no program writes any more, is found here."""
    written = {f"{board.name}.json": dashboards.render(board) for board in dashboards.BOARDS}

    assert {file.name: file.read_text(encoding="utf-8") for file in DASHBOARDS.iterdir()} == written


def test_every_panel_asks_something() -> None:
    """And each of its lines has a legend of its own."""
    for board in dashboards.BOARDS:
        for graph in board.graphs:
            assert graph.lines
            assert len(set(graph.lines.values())) == len(graph.lines)
    assert len(dashboard_queries()) == sum(len(graph.lines) for board in dashboards.BOARDS for graph in board.graphs)
