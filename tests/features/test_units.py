"""kbert/features/units.py"""

import pytest

from kbert.features.units import UnitMaker, words_of
from kbert.readers import Item
from kbert.store import STATUSES


def text(*texts):
    return Item("a", 1, 0, text=texts[0], text_pair=texts[1] if texts[1:] else None)


def words(*words):
    return Item("a", 1, 0, words=words)


def make(bert, unit, *items):
    return UnitMaker(bert.tokenizer, unit)(items)


def named(units):
    return [STATUSES[one] for one in units.status]


def test_a_word_has_its_pieces_and_a_status(tiny_bert):
    units = make(tiny_bert, "word", words("the", "cats", "\x01", "ß", "cat ß"))

    assert units.splits.tolist() == [0, 1, 3, 3, 4, 6]
    assert named(units) == ["ok", "ok", "empty", "unk", "unk"]
    assert units.pieces.begins_word.tolist() == [1, 1, 0, 1, 1, 0]
    assert units.names == [["the", "cats", "\x01", "ß", "cat ß"]]


def test_raw_text_is_split_into_words_at_blanks(tiny_bert):
    units = make(tiny_bert, "word", text("the  cat\u00a0sat"), text("on", "the mat"))

    assert units.names == [["the", "cat", "sat"], ["on", "the", "mat"]]
    assert units.text_splits.tolist() == [0, 3, 6]
    assert units.pieces.pair_starts.tolist() == [-1, 4]


def test_a_sentence_has_the_status_of_its_worst_piece(tiny_bert):
    units = make(tiny_bert, "sentence", text("the cat"), text(""), text("the ß"))

    assert named(units) == ["ok", "empty", "unk"]
    assert units.splits.tolist() == [0, 2, 2, 4]
    assert units.names is None


def test_tokens_have_names_and_the_characters_of_the_text(tiny_bert):
    units = make(tiny_bert, "token", text("The cats!"), text("a", "b"), words("a"))

    assert units.names == [["the", "cat", "##s", "!"], ["a", "b"], ["a"]]
    assert units.offsets == [[[0, 3], [4, 7], [7, 8], [8, 9]], None, None]
    assert units.pieces.begins_word.tolist() == [1, 1, 0, 1, 1, 1, 1]


@pytest.mark.parametrize("unit", ["token", "word", "sentence"])
@pytest.mark.parametrize(
    ("first", "second", "start"),
    [("the cats", "sat", 3), ("", "sat", 0), ("the", "", 1), ("the", "the", 1)],
)
def test_the_second_text_begins_behind_the_first(tiny_bert, unit, first, second, start):
    units = make(tiny_bert, unit, text(first, second))

    assert units.pieces.pair_starts.tolist() == [start]


def test_the_words_of_an_item():
    assert words_of(words("a b", "")) == ("a b", "")
    assert words_of(text("a b", "c")) == ["a", "b", "c"]
