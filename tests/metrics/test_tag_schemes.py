"""kbert/metrics/tag_schemes.py"""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.errors import ConfigError, InputError
from kbert.metrics.tag_schemes import (
    SCHEMES,
    Entity,
    allowed_transitions,
    complete_labels,
    entities_of,
    find_scheme,
    irregular_places,
    tags_of,
)

MARKED = [scheme for scheme in SCHEMES if scheme != "plain"]
# PER PER | PER | LOC LOC LOC | nothing, by hand.
ENTITIES = [Entity("PER", 0, 2), Entity("PER", 2, 3), Entity("LOC", 3, 6)]
WRITTEN = {
    "iob1": "I-PER I-PER B-PER I-LOC I-LOC I-LOC O",
    "iob2": "B-PER I-PER B-PER B-LOC I-LOC I-LOC O",
    "iobes": "B-PER E-PER S-PER B-LOC I-LOC E-LOC O",
    "bilou": "B-PER L-PER U-PER B-LOC I-LOC L-LOC O",
    "bmes": "B-PER E-PER S-PER B-LOC M-LOC E-LOC O",
}


def every_sequence(labels, longest):
    for length in range(1, longest + 1):
        yield from itertools.product(labels, repeat=length)


# === Reading and writing entities ===


@pytest.mark.parametrize("mode", ["conlleval", "strict"])
@pytest.mark.parametrize("scheme", MARKED)
def test_the_same_entities_in_every_scheme(scheme, mode):
    tags = WRITTEN[scheme].split()

    assert entities_of(tags, scheme, mode=mode) == ENTITIES
    assert tags_of(ENTITIES, 7, scheme) == tags


# Broken tags, with what each mode makes of them, by hand.
@pytest.mark.parametrize(
    ("scheme", "tags", "lenient", "strict"),
    [
        ("iob2", "I-A I-A O", [("A", 0, 2)], []),
        ("iob2", "B-A I-B", [("A", 0, 1), ("B", 1, 2)], [("A", 0, 1)]),
        ("iob2", "B-A O I-A", [("A", 0, 1), ("A", 2, 3)], [("A", 0, 1)]),
        ("iob1", "B-A I-A", [("A", 0, 2)], [("A", 1, 2)]),
        ("iob1", "I-A B-A", [("A", 0, 1), ("A", 1, 2)], [("A", 0, 1), ("A", 1, 2)]),
        ("iob1", "O B-A O", [("A", 1, 2)], []),
        ("iobes", "B-A I-A O", [("A", 0, 2)], []),
        ("iobes", "E-A S-A", [("A", 0, 1), ("A", 1, 2)], [("A", 1, 2)]),
        ("iobes", "B-A E-B", [("A", 0, 1), ("B", 1, 2)], []),
        (
            "bilou",
            "B-A U-A L-A",
            [("A", 0, 1), ("A", 1, 2), ("A", 2, 3)],
            [("A", 1, 2)],
        ),
        ("iob2", "B I O B", [("", 0, 2), ("", 3, 4)], [("", 0, 2), ("", 3, 4)]),
        ("iob2", "B-A-B I-A-B", [("A-B", 0, 2)], [("A-B", 0, 2)]),
        (
            "plain",
            "NN O NN",
            [("NN", 0, 1), ("NN", 2, 3)],
            [("NN", 0, 1), ("NN", 2, 3)],
        ),
    ],
)
def test_broken_tags_mean_what_the_mode_says(scheme, tags, lenient, strict):
    assert entities_of(tags.split(), scheme) == lenient
    assert entities_of(tags.split(), scheme, mode="strict") == strict


def test_a_tag_that_the_scheme_does_not_have_is_refused():
    with pytest.raises(
        InputError, match=r"tag 'E-A' in the scheme iob2; expected O, B"
    ):
        entities_of(["O", "E-A"], "iob2")
    with pytest.raises(ConfigError, match="scheme='iob'; expected one of iob1, iob2"):
        entities_of(["B-A"], "iob")
    with pytest.raises(ConfigError, match="mode='lax'; expected conlleval or strict"):
        entities_of(["B-A"], "iob2", mode="lax")


@pytest.mark.parametrize(
    "entities", [[("A", 0, 2), ("A", 1, 3)], [("A", 1, 1)], [("A", 2, 4)]]
)
def test_entities_that_are_no_parts_of_a_sentence_are_not_written(entities):
    with pytest.raises(InputError, match="in a sentence of 3 words; expected entities"):
        tags_of([Entity(*one) for one in entities], 3, "iob2")


def test_a_plain_entity_gives_every_word_its_type():
    assert tags_of([Entity("NN", 1, 3)], 3, "plain") == ["O", "NN", "NN"]


# === Transitions ===


@pytest.mark.parametrize("scheme", MARKED)
def test_transitions_allow_what_the_scheme_writes_and_nothing_else(scheme):
    labels = complete_labels([["B-A", "B-C"]], scheme)
    start, end, pairs = allowed_transitions(labels, scheme)
    number = {label: place for place, label in enumerate(labels)}
    for tags in every_sequence(labels, 3):
        numbers = [number[tag] for tag in tags]
        steps = zip(numbers, numbers[1:], strict=False)
        allowed = (
            start[numbers[0]]
            and end[numbers[-1]]
            and all(pairs[a, b] for a, b in steps)
        )
        own = tags_of(entities_of(tags, scheme), len(tags), scheme) == list(tags)

        assert allowed == own, tags
        assert allowed == (irregular_places([tags], scheme) == []), tags
        if allowed:
            assert entities_of(tags, scheme) == entities_of(tags, scheme, mode="strict")


def test_plain_tags_may_follow_each_other_freely():
    start, end, pairs = allowed_transitions(["NN", "O", "VB"], "plain")

    assert start.all() and end.all() and pairs.all() and pairs.shape == (3, 3)


def test_irregular_places_are_where_tags_cannot_follow():
    sentences = [["B-A", "I-A"], ["O", "I-A", "I-B"], []]

    assert irregular_places(sentences, "iob2") == [(1, 1), (1, 2)]
    assert irregular_places([["O", "B-A"]], "iobes") == [(0, 1)]


# === Labels ===


def test_labels_are_all_tags_of_all_types_after_o():
    sentences = [["I-B"], ["B-A", "O"]]

    assert complete_labels(sentences, "iob2") == ("O", "B-A", "I-A", "B-B", "I-B")
    assert complete_labels([["U-A"]], "bilou") == ("O", "B-A", "I-A", "L-A", "U-A")
    assert complete_labels([["B", "I"]], "iob2") == ("O", "B", "I")


def test_plain_labels_are_those_there_are_and_the_most_frequent_first():
    assert complete_labels([["VB", "NN", "NN", "DT"]], "plain") == ("NN", "DT", "VB")
    assert complete_labels([["NN", "NN", "O"]], "plain") == ("O", "NN")


# === Recognising ===


@pytest.mark.parametrize("scheme", MARKED)
def test_a_scheme_is_recognised_by_its_tags(scheme):
    assert find_scheme([WRITTEN[scheme].split(), ["O"], []]) == scheme


@pytest.mark.parametrize(
    ("sentences", "expected"),
    [
        ([["I-A", "O"]], "iob1"),
        ([["B-A", "O"]], "iob2"),
        ([["B", "I", "O"]], "iob2"),
        ([["S-A", "O"]], "iobes"),
        ([["NN", "VB", "-LRB-", "O"]], "plain"),
        ([["S", "E", "X"]], "plain"),
        ([["O", "O"]], "plain"),
        ([["PER.NAM", "O"]], "plain"),
        ([["B-A", "O"]] * 40 + [["I-A"]], "iob2"),  # a slip of one in 41
        ([["I-A", "O"]] * 40 + [["B-A"]], "iob1"),
    ],
)
def test_what_files_hold(sentences, expected):
    assert find_scheme(sentences) == expected


@pytest.mark.parametrize(
    ("sentences", "message"),
    [
        ([["O"], ["B-A", "NN"]], r"line 2: tag 'NN' beside 'B-A'; expected the tags"),
        ([["B-A", "E-A"], ["L-A"]], "line 2: tag 'L-A' in a file of tags with B, E, L"),
        ([["I-A", "E-A"]], "tag 'E-A' in a file of tags with E, I"),
        ([["B-A", "O"], ["I-A"]], "line 2: 1 entities begin with I-, 1 with B-"),
    ],
)
def test_mixed_schemes_are_refused_with_their_place(sentences, message):
    with pytest.raises(InputError, match=message) as caught:
        find_scheme(
            sentences, place=lambda sentence, word: {"where": "f", "line": sentence + 1}
        )

    assert "--scheme" in str(caught.value)


# === Properties ===


@given(
    st.sampled_from(MARKED),
    st.lists(st.tuples(st.sampled_from("AB"), st.integers(1, 3), st.integers(0, 2))),
)
def test_entities_survive_being_written_and_read(scheme, parts):
    entities, place = [], 0
    for type, length, gap in parts:
        entities.append(Entity(type, place + gap, place + gap + length))
        place += gap + length
    tags = tags_of(entities, place + 1, scheme)

    assert entities_of(tags, scheme) == entities
    assert entities_of(tags, scheme, mode="strict") == entities


@given(st.sampled_from(MARKED), st.data())
def test_every_word_outside_o_is_in_just_one_lenient_entity(scheme, data):
    labels = complete_labels([["B-A", "B-C"]], scheme)
    tags = data.draw(st.lists(st.sampled_from(labels)))
    covered = np.zeros(len(tags), int)
    for _, start, end in entities_of(tags, scheme):
        covered[start:end] += 1

    assert covered.tolist() == [int(tag != "O") for tag in tags]
