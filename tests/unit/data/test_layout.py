"""Khoản and điểm told apart, and what an id says."""

import pytest

from retrieval.data.layout import Line, heading_of, laid_out, law_number_of

BODY = """Người lao động có quyền sau đây:
1. Đơn phương chấm dứt hợp đồng:
a) Ít nhất 45 ngày;
đ) Lao động nữ mang thai.
2. Quy định khác.
- Gạch đầu dòng"""


def test_each_line_is_a_clause_a_point_or_neither_and_nothing_is_lost():
    lines = laid_out(BODY)
    assert [line.kind for line in lines] == ["line", "clause", "point", "point", "clause", "line"]
    assert lines[1] == Line("clause", "1.", "Đơn phương chấm dứt hợp đồng:")
    assert lines[3] == Line("point", "đ)", "Lao động nữ mang thai.")
    assert "\n".join(f"{line.label} {line.text}".strip() for line in lines) == BODY


@pytest.mark.parametrize("text", ["12 ngày làm việc", "1.000.000 đồng", "Điều 1. Tên", "(a) không phải", "abc) dài"])
def test_numbers_and_brackets_inside_a_sentence_are_no_labels(text):
    assert laid_out(text) == [Line("line", "", text)]


def test_blank_lines_are_left_out():
    assert [line.text for line in laid_out("một\n\n  \nhai")] == ["một", "hai"]


@pytest.mark.parametrize(
    ("cid", "heading", "number"),
    [("45/2019/QH14:113", "Điều 113", "45/2019/QH14"), ("L:3", "Điều 3", "L"), ("4412", "", ""), ("a:b", "", "")],
)
def test_an_id_gives_heading_and_number_of_the_law_where_it_has_them(cid, heading, number):
    assert heading_of(cid) == heading
    assert law_number_of(cid) == number
