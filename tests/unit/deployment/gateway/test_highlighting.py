"""Which words are marked, and which part of a text is shown."""

from hypothesis import given
from hypothesis import strategies as st

from deployment.gateway.highlighting import best_part, common_syllables, matching_spans
from retrieval.records import Article

COMMON = frozenset({"người", "được", "theo", "quy", "định", "có"})


def marked(text, question, common=COMMON):
    return [text[start:end] for start, end in matching_spans(text, question, common)]


def test_compounds_of_the_question_are_marked_and_common_syllables_alone_are_not():
    text = "Người sử dụng lao động có trách nhiệm theo quy định; người lao động được nghỉ."
    assert marked(text, "Người lao động được nghỉ mấy ngày theo quy định?") == ["lao động", "người lao động được nghỉ"]


def test_case_does_not_matter_and_diacritics_do():
    assert marked("NGHỈ PHÉP, nghi phep", "nghỉ phép") == ["NGHỈ PHÉP"]


def test_neighbours_across_a_comma_are_no_compound():
    assert marked("theo luật quy, định mức", "quy định", frozenset({"quy"})) == ["định"]


def test_marks_lie_within_the_text_in_order_and_do_not_touch():
    words = st.text(alphabet="aăâ .,\n1đ", max_size=60)

    @given(words, words)
    def holds(text, question):
        spans = matching_spans(text, question, frozenset({"a"}))
        flat = [position for span in spans for position in span]
        assert flat == sorted(set(flat))
        assert all(0 <= start < end <= len(text) for start, end in spans)

    holds()


def test_common_is_what_stands_in_more_than_a_fifth_of_the_articles():
    articles = [Article(str(n), "", "luật này" if n < 3 else "điều khác") for n in range(10)]
    articles.append(Article("x", "", "phép"))
    assert common_syllables(articles) == {"luật", "này", "điều", "khác"}


def test_the_part_shown_has_the_most_marked_words_and_its_spans_point_at_them():
    text = "mở đầu " * 60 + "\n2. nghỉ phép hằng năm và nghỉ phép thêm. " + "kết thúc " * 60
    spans = matching_spans(text, "nghỉ phép năm", frozenset())
    part, inside = best_part(text, spans, 120)
    assert part.startswith("… 2. nghỉ phép hằng năm")
    assert part.endswith(" …")
    assert [part[start:end] for start, end in inside] == ["nghỉ phép", "năm", "nghỉ phép"]


def test_different_words_of_the_question_count_more_than_one_repeated():
    text = "lao động " * 12 + "và " * 60 + "\n1. nghỉ phép năm mười hai ngày. " + "của " * 60
    part, _ = best_part(text, matching_spans(text, "lao động nghỉ phép năm mấy ngày", frozenset()), 100)
    assert part.startswith("… 1. nghỉ phép năm mười hai ngày.")


def test_a_short_text_is_shown_whole_on_one_line():
    assert best_part("một\nhai", [(4, 7)], 100) == ("một hai", [(4, 7)])


def test_the_part_is_cut_between_words_and_its_spans_stay_inside():
    words = st.lists(st.sampled_from(["nghỉ", "phép", "lao", "động", "và", "của\n"]), min_size=1, max_size=80)

    @given(words, st.integers(20, 90))
    def holds(chosen, characters):
        text = " ".join(chosen)
        part, inside = best_part(text, matching_spans(text, "nghỉ phép", frozenset()), characters)
        bare = part.removeprefix("… ").removesuffix(" …")
        assert len(bare) <= characters
        assert set(bare.split()) <= {"nghỉ", "phép", "lao", "động", "và", "của"}
        assert all(0 <= start < end <= len(part) for start, end in inside)

    holds()
