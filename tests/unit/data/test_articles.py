"""Articles are found by their headings, clauses by their numbers."""

from retrieval.data.articles import clause_offsets, parse_code

CODE = """QUỐC HỘI
Phần thứ nhất:QUY ĐỊNH CHUNG
Chương I:PHẠM VI
Mục 1. MỞ ĐẦU
Điều 1. Phạm vi
1. Một.
a) Điểm a.
2. Hai.
Mục đích của khoản này là giải thích.
Chương II:SỬA ĐỔI
Điều 2. Sửa đổi luật khác
Điều 54. Điều của luật khác
Nội dung mới.
Điều 3. Hiệu lực
Từ ngày 01.
Bộ luật này đã được Quốc hội khóa XIII thông qua ngày 24 tháng 11 năm 2015./.
CHỦ TỊCH QUỐC HỘI"""


def test_clause_offsets_are_lines_that_begin_with_a_number():
    body = "Mở đầu 1. không\n1. Một\na) hai\n10. Mười\n3.không"

    assert [body[offset:].partition("\n")[0] for offset in clause_offsets(body)] == ["1. Một", "10. Mười"]


def test_a_text_without_numbers_has_no_clauses():
    assert clause_offsets("Không có khoản.") == ()


def test_titles_bodies_and_paths_are_read_from_the_headings():
    first, second, third = parse_code("1/2020/QH", "Luật", CODE)

    assert (first.cid, first.title, first.law) == ("1/2020/QH:1", "Phạm vi", "Luật")
    assert first.path == ("Phần thứ nhất: QUY ĐỊNH CHUNG", "Chương I: PHẠM VI", "Mục 1. MỞ ĐẦU")
    assert second.path == ("Phần thứ nhất: QUY ĐỊNH CHUNG", "Chương II: SỬA ĐỔI")
    assert third.body == "Từ ngày 01."


def test_a_sentence_that_begins_like_a_heading_stays_in_the_body():
    assert parse_code("1", "Luật", CODE)[0].body.endswith("\nMục đích của khoản này là giải thích.")


def test_an_article_quoted_inside_another_is_not_one_of_the_code():
    articles = parse_code("1", "Luật", CODE)

    assert [article.cid for article in articles] == ["1:1", "1:2", "1:3"]
    assert articles[1].body == "Điều 54. Điều của luật khác\nNội dung mới."


def test_clauses_of_a_parsed_article_point_into_its_body():
    article = parse_code("1", "Luật", CODE)[0]

    assert [article.body[offset : offset + 2] for offset in article.clauses] == ["1.", "2."]
