"""kbert/corpus/sentences.py"""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.corpus import read_documents, split_sentences

# Each is cut at the bars, and nowhere else.
SENTENCES = [
    "It rains.| It snows!| Does it?| Yes.",
    '"Is he in?" she asked.| "He is!" said John.',
    '"What?"| He left.| (She stayed.)| They met.',
    "‘Go.’| “I won’t.”| He went…| She wept.",
    "Mr. Smith met Mrs. O'Neill and Dr. Who in St. Ives.| They left.",
    "J. R. R. Tolkien wrote it.| So did E. Nesbit.",
    "He is taller than I.| They know it.",
    "The U.S. Senate sat at 5 p.m. on Monday in Washington, D.C.| It rose.",
    "It cost $3.50, i.e. 3.5 dollars (e.g. Swiss ones), cf. Fig. 3.| Cheap!",
    "See No. 5 of p. 7.| On Jan. 3 it ended.| It was warm in Jan.| Then it froze.",
    "He said No.| She said yes.",
    "Acme Inc. Chicago sells it.| It paid Acme Inc.| The price fell.",
    "1. Introduction.| 2. Results of 1990.| They are good.",
    "IV. The Storm.| It came.",
    "Wait ... what?| Oh ...| Nothing.",
    "He wept . . . and slept . . .| Then he woke.",
    "Visit digital.gov.| Next, read README.md.| Then stop.",
    "Он пришёл.| Она ушла, т.е. уехала в г. омск.| Да.",
    "Élan vital?| Ça va.| Où? où donc.",
    "他来了。|你好吗？|很好！|“走吧。”|他说……算了。",
    "你好!|再见?|好",
    "（一）第一条。|（二）第二条。",
    "गाय घास खाती है।| वह सोती है।",
    "هل أنت هنا؟| نعم.",
]


@pytest.mark.parametrize("marked", SENTENCES)
def test_a_sentence_ends_where_a_reader_pauses(marked):
    expected = [sentence.strip() for sentence in marked.split("|")]

    assert split_sentences([marked.replace("|", "")]) == expected


def test_paragraphs_and_line_ends_end_sentences():
    assert split_sentences(["a heading", "one\ntwo\r\n", " \t", ""]) == [
        "a heading",
        "one",
        "two",
    ]


def without_blanks(texts):
    return "".join("".join(texts).split())


pieces = st.sampled_from(
    [*"aBé.!?。！？…中 \n\t\"'”)(“-1I", "Mr", "U.S", "etc", "\u00a0", "\u3000", "..."]
)
paragraphs = st.lists(st.one_of(st.lists(pieces).map("".join), st.text()), max_size=4)


@given(paragraphs)
def test_no_character_but_blanks_is_lost_and_the_order_stays(paragraphs):
    sentences = split_sentences(paragraphs)

    assert without_blanks(sentences) == without_blanks(paragraphs)
    assert all(sentence == sentence.strip() != "" for sentence in sentences)


@given(paragraphs)
def test_a_sentence_is_a_piece_of_a_paragraph(paragraphs):
    for sentence in split_sentences(paragraphs):
        assert any(sentence in paragraph for paragraph in paragraphs)


@given(paragraphs)
def test_paragraphs_do_not_know_one_another(paragraphs):
    one_by_one = [one for text in paragraphs for one in split_sentences([text])]

    assert split_sentences(paragraphs) == one_by_one


@pytest.mark.parametrize(
    "bit", [".", "?!", ". ", '."', ".\u00a0", "。", "(", "a", ". ("]
)
def test_no_text_takes_more_than_linear_time(bit):
    start = time.process_time()
    split_sentences([bit * 50_000])

    assert time.process_time() - start < 2


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["pretrain_en/masc", "pretrain_zh/laws"])
def test_real_text_is_cut_into_sentences_of_usual_lengths(shared, name):
    path = shared / "data" / f"{name}.txt.xz"
    lengths = []
    for document in read_documents([path]):
        sentences = split_sentences(document.paragraphs)
        lengths += map(len, sentences)

        assert without_blanks(sentences) == without_blanks(document.paragraphs)

    # Published means: 15 to 20 words of English, 20 to 50 characters of Chinese.
    assert 30 < sum(lengths) / len(lengths) < 130
