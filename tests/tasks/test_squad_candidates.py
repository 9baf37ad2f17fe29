"""kbert/tasks/squad/candidates.py"""

import numpy as np
import original_squad
import pytest
from squad_questions import question, random_questions, the_tokenizer

from kbert.tasks.squad.candidates import Search, best_answers
from kbert.tasks.squad.windows import context_pieces, question_rows

ANY = Search(n_best=20, max_answer_length=30, allow_none=False)
OR_NONE = Search(n_best=20, max_answer_length=30, allow_none=True)


@pytest.fixture(scope="module")
def tokenizer():
    return the_tokenizer()


def guesses(questions, tokenizer, outputs, *, search, length=64, stride=4):
    """Guesses for logits ``[T, 2]`` of each row, or for a function of T."""
    rows = question_rows(
        questions,
        tokenizer,
        max_length=length,
        max_query_length=16,
        doc_stride=stride,
    )
    if callable(outputs):
        outputs = [outputs(int(length)) for length in rows.lengths]
    contexts = context_pieces(questions, tokenizer)
    return best_answers(
        questions, contexts, rows, outputs, stride=stride, search=search
    )


def logits(count, starts, ends):
    """``[count, 2]``, −9 but where said: {place: logit}."""
    scores = np.full((count, 2), -9, np.float32)
    for column, values in enumerate((starts, ends)):
        for place, value in values.items():
            scores[place, column] = value
    return scores


def test_answers_are_cut_from_the_characters_of_the_text(tokenizer):
    # [CLS] dog [SEP] the 3 - 4 cat 5 , 6 sat 7 ##ing 8 中 9 国 10 [SEP]
    asked = question("dog", "The-CÁT,  sating\t中国")
    output = logits(12, {5: 3, 7: 2, 9: 1}, {5: 1, 8: 2, 10: 3})

    (guess,) = guesses([asked], tokenizer, [output], search=ANY)

    assert [one.text for one in guess.candidates[:6]] == [
        "CÁT,  sating\t中国",  # 3 + 3
        "CÁT,  sating",  # 3 + 2, before 2 + 3 because its start is better
        "sating\t中国",
        "CÁT",
        "sating",
        "中国",
    ]
    assert guess.best == "CÁT,  sating\t中国"
    assert guess.null_odds is None
    assert [one.start for one in guess.candidates[:3]] == [4, 4, 10]


def test_probabilities_are_a_softmax_over_the_candidates(tokenizer):
    asked = question("dog", "the cat")
    output = logits(6, {3: 1, 4: 2}, {3: 1, 4: 0})  # the, the cat, cat

    (guess,) = guesses([asked], tokenizer, [output], search=ANY)

    shares = np.exp([2, 2, 1]) / np.exp([2, 2, 1]).sum()
    assert [one.text for one in guess.candidates] == ["cat", "the", "the cat"]
    assert [one.probability for one in guess.candidates] == pytest.approx(shares)
    assert [one.start_logit for one in guess.candidates] == [2, 1, 1]
    assert [one.end_logit for one in guess.candidates] == [0, 1, 0]


def test_answers_are_not_longer_than_allowed(tokenizer):
    asked = question("dog", "a b c d")
    output = logits(8, {3: 5}, {6: 5, 4: 1})
    search = Search(n_best=20, max_answer_length=3, allow_none=False)

    (guess,) = guesses([asked], tokenizer, [output], search=search)

    assert guess.best == "a b"
    assert max(len(one.text.split()) for one in guess.candidates) == 3


def test_an_answer_does_not_begin_or_end_in_the_question_or_at_a_separator(tokenizer):
    asked = question("dog dog", "a b")
    output = logits(7, {1: 9, 2: 9, 0: 9, 3: 9, 6: 9}, {1: 9, 2: 9, 3: 9, 6: 9})

    (guess,) = guesses([asked], tokenizer, [output], search=ANY)

    assert {one.text for one in guess.candidates} == {"a", "b", "a b"}


def test_the_same_text_counts_once_with_its_best_score(tokenizer):
    asked = question("dog", "a b a")
    output = logits(7, {3: 1, 5: 4}, {3: 1, 5: 4})

    (guess,) = guesses([asked], tokenizer, [output], search=ANY)

    assert [one.text for one in guess.candidates].count("a") == 1
    assert (guess.candidates[0].text, guess.candidates[0].start) == ("a", 4)


def test_no_answer_has_the_lowest_score_of_all_windows(tokenizer):
    # Room for 10 − 3 − 1 = 6 letters, 4 apart: a–f and e–h.
    asked = question("x", "a b c d e f g h")
    outputs = [logits(10, {0: 5, 3: 2}, {0: 2, 4: 1}), logits(8, {0: 1}, {0: 3})]

    (guess,) = guesses([asked], tokenizer, outputs, search=OR_NONE, length=10)

    assert guess.best == "a b"
    assert guess.null_odds == pytest.approx((1 + 3) - (2 + 1))
    assert (guess.candidates[0].text, guess.candidates[0].start) == ("", -1)
    assert (guess.candidates[0].start_logit, guess.candidates[0].end_logit) == (1, 3)


def test_an_answer_begins_only_in_the_window_that_shows_most_around_it(tokenizer):
    asked = question("x", "a b c d e f g h")
    # e is the fifth of a–f and the first of e–h: only the first window may begin there.
    outputs = [logits(10, {3: 1}, {3: 1}), logits(8, {3: 9, 6: 2}, {3: 9, 6: 2})]

    (guess,) = guesses([asked], tokenizer, outputs, search=ANY, length=10)

    assert guess.best == "h"
    assert "e" not in {one.text for one in guess.candidates[:2]}


def test_no_answer_is_a_candidate_even_beyond_the_best(tokenizer):
    asked = question("dog", "a b c")
    output = logits(7, {0: -50, 3: 1, 4: 2}, {0: -50, 3: 1, 4: 2})
    search = Search(n_best=2, max_answer_length=30, allow_none=True)

    (guess,) = guesses([asked], tokenizer, [output], search=search)

    assert [one.text for one in guess.candidates] == ["b", "a b", ""]
    assert guess.null_odds == pytest.approx(-104)


def test_a_better_no_answer_takes_one_of_the_places(tokenizer):
    asked = question("dog", "a b c")
    output = logits(7, {0: 5, 3: 1, 4: 2}, {0: 5, 3: 1, 4: 2})
    search = Search(n_best=2, max_answer_length=30, allow_none=True)

    (guess,) = guesses([asked], tokenizer, [output], search=search)

    assert [one.text for one in guess.candidates] == ["", "b"]
    assert guess.best == "b"
    assert guess.null_odds == pytest.approx(6)


def test_where_no_best_start_fits_a_best_end_the_best_span_of_all_is_taken(tokenizer):
    asked = question("dog", "a b c d")
    output = logits(8, {0: 9, 6: 8, 4: 2}, {0: 9, 3: 8, 5: 2})
    search = Search(n_best=2, max_answer_length=30, allow_none=True)

    (guess,) = guesses([asked], tokenizer, [output], search=search)

    # c d ends at 6: 8 − 9; b c: 2 + 2; a alone: −9 + 8.
    assert guess.best == "b c"
    assert guess.null_odds == pytest.approx(18 - 4)


@pytest.mark.parametrize("search", [ANY, OR_NONE])
def test_an_empty_context_has_the_empty_answer(tokenizer, search):
    (guess,) = guesses(
        [question("dog", "")],
        tokenizer,
        lambda count: logits(count, {}, {}),
        search=search,
    )

    assert guess.best == ""
    assert [one.text for one in guess.candidates] == [""]
    assert guess.candidates[0].probability == 1.0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("allow_none", [False, True])
def test_guesses_equal_a_plain_rewrite_of_the_original(tokenizer, seed, allow_none):
    """On random logits, some of them equal, and texts of which windows see a part."""
    questions = random_questions(seed, count=40)
    generator = np.random.default_rng(seed)
    search = Search(n_best=8, max_answer_length=6, allow_none=allow_none)
    rows = question_rows(
        questions, tokenizer, max_length=20, max_query_length=5, doc_stride=5
    )
    outputs = [
        generator.integers(-20, 20, (int(count), 2)).astype(np.float32) / 4
        for count in rows.lengths
    ]
    contexts = context_pieces(questions, tokenizer)

    found = best_answers(questions, contexts, rows, outputs, stride=5, search=search)

    compared = 0
    for number, (one, guess) in enumerate(zip(questions, found, strict=True)):
        windows = original_windows(number, rows, outputs)
        pieces = tokenizer.tokenize_with_offsets([one.context])
        starts, ends = pieces.starts[0].numpy(), pieces.ends[0].numpy()
        try:
            kept, best, null_odds = original_squad.candidates(
                windows,
                lambda first, last: one.context[starts[first] : ends[last]],  # noqa: B023
                n_best=8,
                max_answer_length=6,
                allow_none=allow_none,
            )
        except StopIteration:  # the original finds no span
            continue
        compared += 1
        assert [
            (each.text, each.start_logit, each.end_logit) for each in guess.candidates
        ] == kept
        assert [each.probability for each in guess.candidates] == pytest.approx(
            original_squad.softmax([start + end for _, start, end in kept])
        )
        assert guess.best == best
        assert guess.null_odds == (null_odds if allow_none else None)
    assert compared > 30


def original_windows(number, rows, outputs):
    """What ``original_squad.candidates`` takes for one question."""
    own = np.flatnonzero(rows.examples == number)
    lengths = [int(rows.inputs["segment_ids"][row].sum()) - 1 for row in own]
    spans = [
        (place * min(lengths[0], 5), length) for place, length in enumerate(lengths)
    ]
    windows = []
    for place, (row, (start, length)) in enumerate(zip(own, spans, strict=True)):
        before = int(rows.lengths[row]) - length - 1
        tokens = {before + one: start + one for one in range(length)}
        maximal = {
            here: original_squad.has_max_context(spans, place, piece)
            for here, piece in tokens.items()
        }
        scores = outputs[row].astype(float)
        windows.append((scores[:, 0].tolist(), scores[:, 1].tolist(), tokens, maximal))
    return windows
