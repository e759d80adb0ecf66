"""The rules of a page become grids, in whatever way they are drawn."""

from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from upschedule.pdf.errors import TooComplex
from upschedule.pdf.frame import Frame, Turns
from upschedule.pdf.grid import find_grids
from upschedule.pdf.rules import Stroke, find_rules

ROWS, COLUMNS = [100.0, 120.0, 150.0, 190.0], [50.0, 90.0, 160.0, 200.0, 300.0]


def bar(left: float, top: float, right: float, bottom: float) -> Stroke:
    return Stroke((left - 0.25, top - 0.25, right + 0.25, bottom + 0.25), outline=False)


def cell_sides() -> list[Stroke]:
    across = [bar(x, y, x1, y) for y in ROWS for x, x1 in pairwise(COLUMNS)]
    return across + [bar(x, y, x, y1) for x in COLUMNS for y, y1 in pairwise(ROWS)]


@given(st.randoms(use_true_random=False))
def test_pieces_drawn_in_any_order_make_the_same_grid(rng: Random) -> None:
    strokes = cell_sides()
    rng.shuffle(strokes)

    ((rows, columns),) = find_grids(find_rules(strokes))

    assert (rows, columns) == (pytest.approx(ROWS), pytest.approx(COLUMNS))


def test_boxes_around_cells_make_a_grid() -> None:
    boxes = [Stroke((x, y, x1, y1), outline=True) for x, x1 in pairwise(COLUMNS) for y, y1 in pairwise(ROWS)]

    ((rows, columns),) = find_grids(find_rules(boxes))

    assert (rows, columns) == (pytest.approx(ROWS), pytest.approx(COLUMNS))


def test_shading_and_a_frame_around_the_page_are_not_part_of_the_table() -> None:
    frame = [bar(5, 5, 800, 5), bar(5, 590, 800, 590), bar(5, 5, 5, 590), bar(800, 5, 800, 590)]
    shading = Stroke((50, 100, 300, 120), outline=False)

    ((rows, columns),) = find_grids(find_rules([*frame, shading, *cell_sides()]))

    assert (rows, columns) == (pytest.approx(ROWS), pytest.approx(COLUMNS))


def test_missing_outer_rules_end_where_the_others_end() -> None:
    inner = [bar(50, y, 300, y) for y in ROWS[:-1]] + [bar(x, 100, x, 190) for x in COLUMNS[1:-1]]

    ((rows, columns),) = find_grids(find_rules(inner))

    assert (rows, columns) == (pytest.approx(ROWS, abs=1), pytest.approx(COLUMNS, abs=1))


def test_two_tables_on_a_page_are_two_grids() -> None:
    lower = [
        Stroke((left, top + 200, right, bottom + 200), outline=False)
        for (left, top, right, bottom), _, _ in cell_sides()
    ]

    assert [len(rows) for rows, _ in find_grids(find_rules([*lower, *cell_sides()]))] == [4, 4]


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@given(st.tuples(*[st.floats(0, 500)] * 4))
def test_a_box_turned_upright_is_displayed_where_it_was(turns: Turns, rect: tuple[float, float, float, float]) -> None:
    frame = Frame(1, 842.0, 595.0, turns)

    box = frame.displayed(frame.upright(rect), row=1)

    assert (box.left, box.top, box.right, box.bottom) == pytest.approx(rect, abs=1e-6)


def test_steps_of_lines_as_in_a_drawing_are_no_table() -> None:
    across = [bar(0, 0, 100, 0), bar(100, 50, 200, 50), bar(200, 100, 300, 100)]
    down = [bar(50, 0, 50, 20), bar(100, 0, 100, 50), bar(200, 50, 200, 100)]

    assert find_grids(find_rules([*across, *down])) == []


def test_more_crossing_lines_than_any_sheet_has_are_too_complex() -> None:
    lines = [bar(0, at * 5, 5000, at * 5) for at in range(1000)] + [bar(at * 5, 0, at * 5, 5000) for at in range(1000)]

    with pytest.raises(TooComplex):
        find_grids(find_rules(lines))
