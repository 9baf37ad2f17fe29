"""kbert/tasks/tagging/decoding.py, and the guesses of task.py"""

import dataclasses

import numpy as np
import pytest

from kbert.crf import CRF
from kbert.errors import InputError, KbertWarning
from kbert.metrics.tag_schemes import irregular_places
from kbert.readers import Item
from kbert.tasks import row_outputs
from kbert.tasks.tagging import Tagging

LABELS = ("O", "B-X", "I-X")
NOTHING = "\u200b"


def sentence(words):
    return Item("a.conll", 1, 0, words=tuple(words.split(" ")))


def said(bert, sentences, tags, *, task, max_length=16):
    """The guesses of a model that says the given tags of words with pieces."""
    rows = task.rows(sentences, bert.tokenizer, max_length=max_length, training=False)
    tags = iter(tags)
    outputs = [
        np.eye(3, dtype="float32")[[LABELS.index(next(tags)) for _ in own]]
        for own in (rows.inputs["word_positions"][row] for row in range(len(rows)))
    ]
    return task.guesses(sentences, rows, outputs, bert)


@pytest.fixture
def with_crf(tiny_bert):
    crf = CRF(3, name="crf")
    crf.build((None, None, 3))
    Tagging(labels=LABELS, scheme="iob2").restrict(crf)
    return dataclasses.replace(tiny_bert, heads={"crf": crf})


def test_windows_are_put_together_again(tiny_bert):
    task = Tagging(labels=LABELS, scheme="iob2")
    sentences = [sentence("a b c d e f"), sentence("cat"), sentence("the dog")]
    tags = ["B-X", "I-X", "O", "O", "B-X", "O", "I-X", "O", "B-X"]
    guesses = said(tiny_bert, sentences, tags, task=task, max_length=6)

    assert guesses == [tuple(tags[:6]), tuple(tags[6:7]), tuple(tags[7:])]


def test_a_word_of_which_nothing_is_left_is_tagged_and_counted(tiny_bert):
    task = Tagging(labels=LABELS, scheme="iob2")
    sentences = [sentence(NOTHING), sentence(f"the {NOTHING} cat")]
    with pytest.warns(KbertWarning, match=r"2 of 4 words are nothing .* '\\u200b'"):
        guesses = said(tiny_bert, sentences, ["I-X", "B-X"], task=task)

    assert guesses == [("O",), ("I-X", "O", "B-X")]


@pytest.mark.parametrize("crf", [False, True])
def test_a_file_of_which_nothing_is_left_is_tagged_word_by_word(with_crf, crf):
    task = Tagging(labels=LABELS, scheme="iob2", crf=crf)
    sentences = [sentence(NOTHING), sentence(f"{NOTHING} {NOTHING}")]
    rows = task.rows(sentences, with_crf.tokenizer, max_length=16, training=False)
    outputs = row_outputs(None, rows, batch_size=4)
    with pytest.warns(KbertWarning, match=r"3 of 3 words are nothing"):
        guesses = task.guesses(sentences, rows, outputs, with_crf)

    assert guesses == [("O",), ("O", "O")]


def test_a_crf_decodes_whole_sentences_over_their_windows(with_crf):
    task = Tagging(labels=LABELS, scheme="iob2", crf=True)
    # In the second window I-X stands first; in the sentence it goes on from B-X.
    tags = ["O", "O", "B-X", "I-X", "I-X", "O"]
    sentences = [sentence("a b c d e f"), sentence("cat sat")]
    found = said(with_crf, sentences, [*tags, "O", "O"], task=task, max_length=6)

    assert found == [tuple(tags), ("O", "O")]


@pytest.mark.filterwarnings("ignore:.*are nothing to the tokenizer")
def test_a_crf_never_breaks_the_scheme_even_around_lost_words(with_crf):
    task = Tagging(labels=LABELS, scheme="iob2", crf=True)
    generator = np.random.default_rng(0)
    words = ["the", "cat", NOTHING]
    sentences = [
        sentence(" ".join(generator.choice(words, size)))
        for size in generator.integers(1, 20, 70)
    ]
    tags = [str(one) for one in generator.choice(LABELS, 1000)]
    guesses = said(with_crf, sentences, tags, task=task, max_length=8)

    assert [len(one) for one in guesses] == [len(item.words) for item in sentences]
    assert irregular_places(guesses, "iob2") == []


def test_outputs_of_other_sentences_are_refused(tiny_bert):
    task = Tagging(labels=LABELS, scheme="iob2")
    rows = task.rows(
        [sentence("the cat")], tiny_bert.tokenizer, max_length=9, training=False
    )
    with pytest.raises(
        InputError, match="outputs for 1 words; expected 2, of the rows"
    ):
        task.guesses(
            [sentence("the cat")], rows, [np.zeros((1, 3), "float32")], tiny_bert
        )
