"""What a student draws and writes on a schedule."""

from random import Random
from typing import Any

from tests.support.documents.variants.editing import drawn_over


def box_round_rows(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        top = rng.uniform(90, 400)
        page.draw_rect((rng.uniform(20, 34), top, 815, top + rng.uniform(15, 80)), color=(1, 0, 0), width=1.5)

    return drawn_over(data, draw, rng)


def box_round_a_cell(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        left, top = rng.uniform(40, 500), rng.uniform(80, 400)
        page.draw_rect((left, top, left + 70, top + 14), color=rng.choice([(1, 0, 0), (0, 0, 0)]), width=1)

    return drawn_over(data, draw, rng)


def tick(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        x, y = rng.uniform(50, 600), rng.uniform(80, 500)
        page.draw_polyline([(x, y), (x + 3, y + 4), (x + 9, y - 6)], color=(0, 0.5, 0), width=1.5)

    return drawn_over(data, draw, rng)


def arrow(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        x, y = rng.uniform(100, 600), rng.uniform(120, 480)
        page.draw_line((x, y), (x + 80, y), color=(0, 0, 1), width=1)
        page.draw_polyline([(x + 74, y - 4), (x + 80, y), (x + 74, y + 4)], color=(0, 0, 1), width=1)

    return drawn_over(data, draw, rng)


def scribble(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        y = rng.uniform(120, 480)
        points = [(60 + 15 * step, y + rng.uniform(-12, 12)) for step in range(30)]
        page.draw_polyline(points, color=(0, 0, 1), width=1.5)

    return drawn_over(data, draw, rng)


def line_through_a_row(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        y = _words(page, rng)
        page.draw_line((rng.uniform(30, 44), y), (800, y), color=rng.choice([(1, 0, 0), (0, 0, 0)]), width=1)

    return drawn_over(data, draw, rng)


def line_under_words(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        y = _words(page, rng) + 5.5
        page.draw_line((rng.uniform(45, 60), y), (rng.uniform(420, 600), y), color=(1, 0, 0), width=0.8)

    return drawn_over(data, draw, rng)


def line_exactly_across(data: bytes, rng: Random) -> bytes:
    """From border to border, as thick and black as a rule, through the middle of a line of text."""

    def draw(page: Any, rng: Random) -> None:
        rules = [drawing["rect"] for drawing in page.get_drawings() if drawing["rect"].width > 400]
        y = _words(page, rng)
        if rules and all(abs(rule.y0 - y) > 3 for rule in rules):
            page.draw_rect((rules[0].x0, y - 0.25, rules[0].x1, y + 0.25), color=None, fill=(0, 0, 0))

    return drawn_over(data, draw, rng)


def _words(page: Any, rng: Random) -> float:
    """The middle of some word's letters in the table."""
    words = [word for word in page.get_text("words") if word[1] > 75] or [(0, 300, 0, 310)]
    word = rng.choice(words)
    return (word[1] + word[3]) / 2


def note(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        at = (rng.uniform(100, 600), rng.uniform(100, 500))
        page.insert_text(at, rng.choice(("ask Thabo", "room changed?", "Hello!")), fontsize=10, color=(0, 0, 1))

    return drawn_over(data, draw, rng)


def highlighter(data: bytes, rng: Random) -> bytes:
    def draw(page: Any, rng: Random) -> None:
        top = rng.uniform(90, 400)
        page.draw_rect((36, top, 640, top + 13), color=None, fill=(1, 1, 0), fill_opacity=0.4)

    return drawn_over(data, draw, rng)
