"""kbert/tasks/tagging/windows.py, and the rows of task.py"""

import itertools

import numpy as np
import pytest

from kbert.errors import ConfigError, InputError
from kbert.metrics.tag_schemes import (
    Entity,
    allowed_transitions,
    complete_labels,
    tags_of,
)
from kbert.readers import Item
from kbert.tasks.tagging import Tagging

LABELS = ("O", "B-X", "I-X")
NOTHING = "\u200b"  # the tokenizer takes a format character for nothing


def sentence(words, tags=None, *, document=0):
    tags = None if tags is None else tuple(tags.split())
    return Item("a.conll", 1, document, words=tuple(words.split(" ")), tags=tags)


def rows_of(tokenizer, sentences, *, max_length=16, training=False, **options):
    task = Tagging(**{"labels": LABELS, "scheme": "iob2", **options})
    return task.rows(sentences, tokenizer, max_length=max_length, training=training)


def seen(rows, tokenizer):
    """Of each row: all its tokens, and those at the places of its words."""
    tokens = tokenizer.vocabulary.tokens
    for number in range(len(rows)):
        row = [tokens[one] for one in rows.inputs["token_ids"][number]]
        yield row, [row[one] for one in rows.inputs["word_positions"][number]]


def test_the_first_piece_of_each_word_carries_the_label(tiny_bert):
    sentences = [sentence("the running cat", "O B-X I-X"), sentence("mat", "O")]
    rows = rows_of(tiny_bert.tokenizer, sentences)

    assert list(seen(rows, tiny_bert.tokenizer)) == [
        (
            ["[CLS]", "the", "run", "##n", "##ing", "cat", "[SEP]"],
            ["the", "run", "cat"],
        ),
        (["[CLS]", "mat", "[SEP]"], ["mat"]),
    ]
    target, weight = rows.targets["token_classifier"], rows.weights["token_classifier"]
    assert [target[0].tolist(), target[1].tolist()] == [[0, 1, 2], [0]]
    assert target.values.dtype == rows.inputs["word_positions"].values.dtype == "int32"
    assert weight.values.tolist() == [1.0] * 4
    assert rows.examples.tolist() == [0, 1]


def test_class_weights_count_in_training_only(tiny_bert):
    sentences = [sentence("the cat mat", "O B-X O"), sentence("sat", "O")]

    def weights(how, *, training):
        rows = rows_of(
            tiny_bert.tokenizer, sentences, training=training, class_weights=how
        )
        return rows.weights["token_classifier"].values.tolist()

    assert weights({"B-X": 3.0}, training=True) == [1, 3, 1, 1]
    balanced = weights("balanced", training=True)
    assert balanced == pytest.approx([2 / 3, 2, 2 / 3, 2 / 3])
    assert weights("balanced", training=False) == [1, 1, 1, 1]


def test_a_crf_has_no_class_weights():
    with pytest.raises(ConfigError, match="class_weights='balanced' with crf"):
        Tagging(crf=True, class_weights="balanced")


def test_without_tags_there_are_no_targets(tiny_bert):
    rows = rows_of(tiny_bert.tokenizer, [sentence("the cat")])

    assert rows.targets == rows.weights == {}


# Six words of one piece in windows of four: 0-3, then from half of the room on; a word
# is taken where it has more context, "d" (place 3) from the second.
def test_a_long_sentence_is_read_in_windows_and_no_word_is_lost(tiny_bert):
    words = "a b c d e f"
    rows = rows_of(tiny_bert.tokenizer, [sentence(words, "O " * 6)], max_length=6)
    found = list(seen(rows, tiny_bert.tokenizer))

    assert [row[1:-1] for row, _ in found] == [
        ["a", "b", "c", "d"],
        ["c", "d", "e", "f"],
    ]
    assert [word for _, own in found for word in own] == words.split()
    assert rows.examples.tolist() == [0, 0]


@pytest.mark.parametrize("context", ["none", "document"])
@pytest.mark.parametrize("max_length", [3, 4, 7, 16])
def test_every_word_with_a_piece_stands_in_just_one_row(tiny_bert, context, max_length):
    generator = np.random.default_rng(max_length)
    vocabulary = ["the", "cat", "running", "zzzzzzzzzzzzzzzzzz", NOTHING, "中"]
    sentences = [
        sentence(" ".join(generator.choice(vocabulary, size)), document=number // 3)
        for number, size in enumerate(generator.integers(1, 14, 12))
    ]
    rows = rows_of(
        tiny_bert.tokenizer, sentences, max_length=max_length, context=context
    )
    found = [word for _, own in seen(rows, tiny_bert.tokenizer) for word in own]
    first = {"running": "run", "zzzzzzzzzzzzzzzzzz": "z"}
    words = [one for item in sentences for one in item.words if one != NOTHING]

    assert found == [first.get(word, word) for word in words]
    assert rows.lengths.max() <= max_length
    assert (np.diff(rows.examples) >= 0).all()


def test_the_document_is_seen_but_not_scored(tiny_bert):
    sentences = [
        sentence("the cat", "O B-X"),
        sentence("sat", "O"),
        sentence("on mat", "O O"),
        sentence("dog", "B-X", document=1),
    ]
    rows = rows_of(tiny_bert.tokenizer, sentences, context="document", max_length=7)
    found = list(seen(rows, tiny_bert.tokenizer))

    whole = ["the", "cat", "sat", "on", "mat"]
    assert [row[1:-1] for row, _ in found] == [whole, whole, whole, ["dog"]]
    assert [own for _, own in found] == [
        ["the", "cat"],
        ["sat"],
        ["on", "mat"],
        ["dog"],
    ]


def test_a_sentence_of_which_nothing_is_left_has_no_row(tiny_bert):
    sentences = [sentence(NOTHING), sentence("cat"), sentence(f"{NOTHING} {NOTHING}")]

    assert rows_of(tiny_bert.tokenizer, sentences).examples.tolist() == [1]
    assert len(rows_of(tiny_bert.tokenizer, sentences[:1])) == 0


def test_a_crf_learns_from_whole_entities_only(tiny_bert):
    # The entity c d e stands in both windows of four.
    long = sentence("a b c d e f", "O B-X B-X I-X I-X O")
    rows = rows_of(tiny_bert.tokenizer, [long], max_length=6, crf=True, training=True)
    found = list(seen(rows, tiny_bert.tokenizer))

    assert [own for _, own in found] == [["a", "b"], ["f"]]
    assert rows.targets["token_classifier"].values.tolist() == [0, 1, 0]
    told = rows_of(tiny_bert.tokenizer, [long], max_length=6, crf=True)
    assert [own for _, own in seen(told, tiny_bert.tokenizer)] == [
        ["a", "b", "c"],
        ["d", "e", "f"],
    ]


def test_in_iob1_a_row_has_no_b_of_an_entity_that_another_row_ends_before(tiny_bert):
    # The second row begins with d; of the second sentence, c d stands in both rows.
    sentences = [
        sentence("a b c d e f", "O I-X I-X B-X I-X O"),
        sentence("a b c d e f", "O O I-X I-X B-X B-X"),
    ]
    options = {"max_length": 6, "crf": True, "training": True, "scheme": "iob1"}
    rows = rows_of(tiny_bert.tokenizer, sentences, **options)
    target = rows.targets["token_classifier"]

    assert [own for _, own in seen(rows, tiny_bert.tokenizer)] == [
        ["a", "b", "c"],
        ["d", "e", "f"],
        ["a", "b"],
        ["e", "f"],
    ]
    # I-X for the B-X of d and of the second e; the B-X of f stays, after e in its row.
    assert [target[row].tolist() for row in range(4)] == [
        [0, 2, 2],
        [2, 2, 0],
        [0, 0],
        [2, 1],
    ]


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "iobes", "bilou", "bmes", "plain"])
@pytest.mark.parametrize("max_length", [3, 5, 8])
def test_a_crf_learns_from_nothing_that_it_does_not_allow(
    tiny_bert, scheme, max_length
):
    generator = np.random.default_rng(max_length)
    sentences = []
    for size in generator.integers(1, 14, 20):
        words = generator.choice(["the", "cat", "running", NOTHING], size)
        bounds = sorted({0, int(size), *generator.integers(0, size, 6).tolist()})
        entities = [
            Entity(str(generator.choice(["X", "Y"])), start, end)
            for start, end in itertools.pairwise(bounds)
            if generator.random() < 0.8
        ]
        tags = tags_of(entities, int(size), scheme)
        sentences.append(sentence(" ".join(words), " ".join(tags)))
    labels = complete_labels([item.tags for item in sentences], scheme)
    rules = allowed_transitions(labels, scheme)
    task = Tagging(labels=labels, scheme=scheme, crf=True)
    rows = task.rows(
        sentences, tiny_bert.tokenizer, max_length=max_length, training=True
    )
    target = rows.targets["token_classifier"]
    found = [own for row in range(len(rows)) if len(own := target[row])]

    assert len(found) > 20
    for own in found:
        assert rules.start[own[0]]
        assert rules.end[own[-1]]
        assert rules.pairs[own[:-1], own[1:]].all()


def test_a_crf_learns_from_tags_that_keep_to_the_scheme(tiny_bert):
    broken = [sentence("the cat sat", "O I-X I-X")]
    own = {"training": True}
    crf = rows_of(tiny_bert.tokenizer, broken, crf=True, **own)
    plain = rows_of(tiny_bert.tokenizer, broken, **own)

    assert crf.targets["token_classifier"].values.tolist() == [0, 1, 2]
    assert plain.targets["token_classifier"].values.tolist() == [0, 2, 2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_length": 2}, "max_length=2; expected 3 or more"),
        ({"stride": 15}, "stride=15 with max_length=16; expected a stride of 1 to 14"),
        ({"stride": 0}, "stride=0 with max_length=16; expected a stride of 1 to 14"),
    ],
)
def test_windows_that_would_leave_words_out_are_refused(tiny_bert, options, message):
    with pytest.raises(ConfigError, match=message):
        rows_of(tiny_bert.tokenizer, [sentence("cat")], **options)


def test_a_tag_that_the_task_does_not_know_is_refused(tiny_bert):
    with pytest.raises(InputError, match="a.conll, line 2: unknown tag 'B-Y'"):
        rows_of(tiny_bert.tokenizer, [sentence("the cat", "O B-Y")])
