"""Changes that people and programs make to a schedule between the portal and the upload, one function for each.

Each takes a schedule as the portal prints it. A reader must read the `SAME` ones exactly. The `SAFE` ones have lost or
displaced something: a reader refuses them, or warns and reports no event that the original does not have. The `REFUSED`
ones cannot be read at all.
"""

from tests.support.documents.variants.characters import (
    ligatures,
    other_hyphens,
    other_spaces,
    soft_hyphens,
    wrong_actual_text,
)
from tests.support.documents.variants.editing import Variant
from tests.support.documents.variants.file_contents import (
    checksum_cut,
    cover_sheet,
    headers_and_footers,
    small_paper,
    something_after_the_end,
)
from tests.support.documents.variants.losses import (
    actual_size_on_small_paper,
    clipped,
    cut_at_the_left,
    cut_at_the_right,
    cut_below,
    first_page_missing,
    middle_page_missing,
    printed_twice,
    reversed_pages,
    swapped,
    truly_cut,
)
from tests.support.documents.variants.page_tree import count_too_large, count_too_small, kids_apart
from tests.support.documents.variants.repeated_text import bold_by_printing_twice, bold_word_by_word, invisible_layer
from tests.support.documents.variants.sheets import four_on_a_sheet, one_long_page, two_on_a_sheet, two_side_by_side
from tests.support.documents.variants.student_marks import (
    arrow,
    box_round_a_cell,
    box_round_rows,
    highlighter,
    line_exactly_across,
    line_through_a_row,
    line_under_words,
    note,
    scribble,
    tick,
)
from tests.support.documents.variants.unreadable import (
    letters_without_meaning,
    outlines,
    rules_as_pictures,
    scan_with_text,
)
from tests.support.documents.variants.watermarks import (
    slanted_watermark,
    small_watermarks,
    transparent_watermark,
    watermark,
    white_on_black,
)

SAME: dict[str, Variant] = {
    variant.__name__: variant
    for variant in (
        count_too_small,
        count_too_large,
        kids_apart,
        two_on_a_sheet,
        two_side_by_side,
        four_on_a_sheet,
        one_long_page,
        soft_hyphens,
        other_hyphens,
        other_spaces,
        ligatures,
        wrong_actual_text,
        bold_by_printing_twice,
        bold_word_by_word,
        invisible_layer,
        box_round_rows,
        box_round_a_cell,
        tick,
        arrow,
        scribble,
        line_through_a_row,
        line_under_words,
        line_exactly_across,
        note,
        highlighter,
        watermark,
        slanted_watermark,
        small_watermarks,
        transparent_watermark,
        white_on_black,
        something_after_the_end,
        checksum_cut,
        cover_sheet,
        headers_and_footers,
        small_paper,
    )
}
SAFE: dict[str, Variant] = {
    variant.__name__: variant
    for variant in (
        cut_below,
        cut_at_the_right,
        cut_at_the_left,
        actual_size_on_small_paper,
        clipped,
        truly_cut,
        swapped,
        reversed_pages,
        printed_twice,
        middle_page_missing,
        first_page_missing,
    )
}
REFUSED: dict[str, tuple[Variant, str]] = {
    "outlines": (outlines, "pdf-outlined-text"),
    "scan_with_text": (scan_with_text, "pdf-recognised-text"),
    "letters_without_meaning": (letters_without_meaning, "pdf-unmapped-text"),
    "rules_as_pictures": (rules_as_pictures, "pdf-no-table-lines"),
}
