"""kbert/tasks/squad/windows.py"""

import numpy as np
import original_squad
import pytest
from squad_questions import TOKENS, question, random_questions, the_tokenizer

from kbert.errors import KbertWarning
from kbert.tasks.squad import Answer, Question
from kbert.tasks.squad.places import answer_places
from kbert.tasks.squad.windows import (
    Contexts,
    context_pieces,
    cut,
    max_context,
    planned,
    question_rows,
)


@pytest.fixture(scope="module")
def tokenizer():
    return the_tokenizer()


def rows_of(questions, tokenizer, *, training=True, length=12, query=4, stride=3):
    return question_rows(
        questions,
        tokenizer,
        max_length=length,
        max_query_length=query,
        doc_stride=stride,
        places=answer_places(questions, skip_bad=True) if training else None,
    )


def tokens_of(rows, name="token_ids"):
    column = rows.inputs[name]
    return [" ".join(TOKENS[one] for one in column[row]) for row in range(len(rows))]


def test_a_row_is_the_question_and_the_context(tokenizer):
    rows = rows_of([question("The dog", "cat sat on", "sat")], tokenizer)

    assert tokens_of(rows) == ["[CLS] the dog [SEP] cat sat on [SEP]"]
    assert rows.inputs["segment_ids"][0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert rows.targets["span"].values.tolist() == [[5, 5]]
    assert rows.weights["span"].values.tolist() == [1.0]


def test_a_long_context_has_windows_a_stride_apart(tokenizer):
    # Room for 12 − 3 − 2 = 7 of the 12 letters.
    asked = question("the cat", "a b c d e f g h i j k l", "h i")

    rows = rows_of([asked, question("dog", "mat", "mat")], tokenizer)

    assert tokens_of(rows) == [
        "[CLS] the cat [SEP] a b c d e f g [SEP]",
        "[CLS] the cat [SEP] d e f g h i j [SEP]",
        "[CLS] the cat [SEP] g h i j k l [SEP]",
        "[CLS] dog [SEP] mat [SEP]",
    ]
    assert rows.examples.tolist() == [0, 0, 0, 1]
    # h and i are not in the first window; the answer of the last row is mat.
    assert rows.targets["span"].values.tolist() == [[0, 0], [8, 9], [5, 6], [3, 3]]


def test_half_an_answer_at_the_rim_of_a_window_is_none(tokenizer):
    rows = rows_of([question("the cat", "a b c d e f g h i j", "g h")], tokenizer)

    assert rows.targets["span"].values.tolist() == [[0, 0], [7, 8]]


def test_a_stride_beyond_the_room_leaves_nothing_out(tokenizer):
    asked = question("the cat", "a b c d e f g h i", "h")

    rows = rows_of([asked], tokenizer, stride=100)

    assert tokens_of(rows)[1] == "[CLS] the cat [SEP] h i [SEP]"


def test_questions_lose_what_is_beyond_their_limit_and_it_is_said(tokenizer):
    asked = question("the cat sat on the mat", "a b c d e f g h i j", "a")

    with pytest.warns(KbertWarning, match="1 of 1 questions are longer than 4 word"):
        rows = rows_of([asked], tokenizer)
    with pytest.warns(KbertWarning, match="longer than 3 word pieces"):
        half = rows_of([asked], tokenizer, length=10)

    assert tokens_of(rows)[0] == "[CLS] the cat sat on [SEP] a b c d e [SEP]"
    assert tokens_of(half)[0] == "[CLS] the cat sat [SEP] a b c d [SEP]"


def test_an_empty_context_has_a_row_too(tokenizer):
    rows = rows_of(
        [question("dog", ""), question("cat", "\u200b"), question("", "a")],
        tokenizer,
        training=False,
    )

    assert tokens_of(rows) == [
        "[CLS] dog [SEP] [SEP]",
        "[CLS] cat [SEP] [SEP]",
        "[CLS] [SEP] a [SEP]",
    ]
    assert rows.targets == {}


def test_a_question_that_cannot_be_learned_from_has_rows_only_where_it_is_guessed(
    tokenizer,
):
    lost = Question("a.json", 2, "2", "", "dog", "a b", (Answer("mat", 0),))
    no_piece = question("cat", "a \u200b b", "\u200b")
    questions = [lost, question("the", "a b", "b"), no_piece, question("on", "a b")]

    nothing = "answers to 1 of 4 questions are nothing to the tokenizer, .* 'cat'"
    with (
        pytest.warns(KbertWarning, match="1 of 3 answers"),
        pytest.warns(KbertWarning, match=nothing),
    ):
        rows = rows_of(questions, tokenizer)

    assert rows.examples.tolist() == [1, 3]
    assert rows.targets["span"].values.tolist() == [[4, 4], [0, 0]]
    assert rows_of(questions, tokenizer, training=False).examples.tolist() == [
        *range(4)
    ]


def test_equal_contexts_are_tokenized_once(tokenizer):
    questions = [question("a", "cat"), question("b", "a dog"), question("c", "cat")]

    contexts = context_pieces(questions, tokenizer)

    assert contexts.of_question.tolist() == [0, 1, 0]
    assert contexts.splits.tolist() == [0, 1, 3]
    assert contexts.firsts.tolist() == [0, 1, 0]
    assert contexts.lengths.tolist() == [1, 2, 1]


@pytest.mark.parametrize(
    ("context", "answer", "pieces"),
    [
        ("a (run-sat).", "run", "run"),  # punctuation around the answer is no part
        ("a running dog", "run", "run"),  # nor is the rest of the word
        ("the dogs sat", "dog", "dog"),
        ("the catx sat", "tx", "cat ##x"),  # but a piece is not cut
        ("the cat sat", "cat ", "cat"),
        ("the cat  sat", " sat", "sat"),
        ("a中国b", "国", "国"),
        ("中国中国", "国中", "国 中"),
    ],
)
def test_an_answer_is_the_pieces_that_have_a_part_of_it(
    tokenizer, context, answer, pieces
):
    rows = rows_of([question("x", context, answer)], tokenizer)
    first, last = rows.targets["span"].values[0]

    assert " ".join(tokens_of(rows)[0].split()[first : last + 1]) == pieces


@pytest.mark.parametrize("seed", range(3))
def test_rows_and_targets_equal_a_plain_rewrite_of_the_original(tokenizer, seed):
    questions = random_questions(seed)
    length, query, stride = 18, 3, 4

    with pytest.warns(KbertWarning, match="lose their ends"):
        rows = rows_of(questions, tokenizer, length=length, query=query, stride=stride)

    assert list(
        zip(tokens_of(rows), rows.targets["span"].values.tolist(), strict=True)
    ) == [
        row
        for one in questions
        for row in original_rows(one, tokenizer, length, query, stride)
    ]


def original_rows(one, tokenizer, length, query, stride):
    """(tokens, target) of the windows of a question, as ``run_squad.py`` makes them."""

    def tokenize(text):
        (ids,) = tokenizer.tokenize([text]).to_list()
        return [TOKENS[number] for number in ids]

    words = one.context.split(" ")
    tokens, firsts = [], []
    for word in words:
        firsts.append(len(tokens))
        tokens += tokenize(word)
    firsts.append(len(tokens))
    (answer,) = one.answers
    first_word = one.context[: answer.start].count(" ")
    last_word = first_word + answer.text.count(" ")
    first, last = original_squad.improved_span(
        tokens, firsts[first_word], firsts[last_word + 1] - 1, tokenize(answer.text)
    )
    asked = tokenize(one.question)[:query]
    for start, count in original_squad.doc_spans(
        len(tokens), length - 3 - len(asked), stride
    ):
        row = ["[CLS]", *asked, "[SEP]", *tokens[start : start + count], "[SEP]"]
        target = [0, 0]
        if first >= start and last < start + count:
            target = [place - start + len(asked) + 2 for place in (first, last)]
        yield " ".join(row), target


LENGTHS, ROOMS = [1, 6, 7, 23, 40, 12], [6, 6, 6, 9, 7, 11]


@pytest.mark.parametrize(
    ("lengths", "rooms", "stride"),
    [(LENGTHS, ROOMS, 1), (LENGTHS, ROOMS, 2), (LENGTHS, ROOMS, 5), (LENGTHS, ROOMS, 9)]
    # Only where lengths differ by more than 100 do they count for more than a tie.
    + [([500, 390, 331], [376, 380, 213], 128)],
)
def test_windows_and_max_context_equal_a_plain_rewrite_of_the_original(
    lengths, rooms, stride
):
    lengths, rooms = np.array(lengths), np.array(rooms)
    contexts = Contexts(
        ids=np.zeros(lengths.sum(), np.int32),
        starts=np.zeros(lengths.sum(), np.int64),
        ends=np.zeros(lengths.sum(), np.int64),
        splits=np.concatenate([[0], np.cumsum(lengths)]),
        of_question=np.arange(len(lengths)),
    )

    windows = cut(lengths, rooms, stride=stride)
    owned = max_context(windows, contexts).tolist()

    expected, maximal = [], []
    for number, (length, room) in enumerate(zip(lengths, rooms, strict=True)):
        spans = original_squad.doc_spans(length, room, stride)
        expected += [(number, *span) for span in spans]
        maximal += [
            original_squad.has_max_context(spans, place, piece)
            for place, (start, count) in enumerate(spans)
            for piece in range(start, start + count)
        ]
    found = zip(windows.question, windows.start, windows.length, strict=True)
    assert list(found) == expected
    assert owned == maximal
    assert sum(owned) == lengths.sum()


def test_the_windows_can_be_read_from_the_rows(tokenizer):
    questions = [*random_questions(5), question("x", "")]
    contexts = context_pieces(questions, tokenizer)

    rows = rows_of(questions, tokenizer, training=False, length=18, query=7, stride=4)
    windows = planned(rows, stride=4)

    asked = tokenizer.tokenize([one.question for one in questions])
    rooms = 18 - 3 - asked.row_lengths().numpy()
    expected = cut(contexts.lengths, rooms, stride=4)
    assert windows.question.tolist() == expected.question.tolist()
    assert windows.start.tolist() == expected.start.tolist()
    assert windows.length.tolist() == expected.length.tolist()
