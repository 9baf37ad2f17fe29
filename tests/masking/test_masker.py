"""kbert/masking/masker.py: rows small enough to check by eye, and hostile ones"""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from kbert import ConfigError, Vocabulary
from kbert.masking import Masker, MaskingSettings

TOKENS = ["[PAD]", "[unused0]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[unused99]"]
TOKENS += ["a", "b", "c", "d", "e", "##f", "##g", "##h"]
VOCABULARY = Vocabulary.from_tokens(TOKENS)
PAD, UNK, CLS, SEP, MASK = (
    VOCABULARY.ids[name] for name in ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
)
SPECIAL = {PAD, UNK, CLS, SEP, MASK}
KINDS = ("token", "whole-word", "span")
kinds = pytest.mark.parametrize("masking", KINDS)


def mask_rows(texts, *, length=12, records=None, epoch=0, seed=1, **choices):
    """Mask rows written as tokens; NumPy arrays, and what was masked."""
    rows = [[VOCABULARY.ids[token] for token in text.split()] for text in texts]
    ids = np.array([row + [PAD] * (length - len(row)) for row in rows], "int32")
    masker = Masker(MaskingSettings(**choices), VOCABULARY, length=length)
    masked = masker(
        tf.constant(ids),
        tf.constant([len(row) for row in rows]),
        seed=seed,
        epochs=tf.fill([len(rows)], tf.constant(epoch, tf.int64)),
        records=tf.range(len(rows), dtype=tf.int64) if records is None else records,
    )
    return ids, type(masked)(*(part.numpy() for part in masked))


def hidden(masked, row=0):
    """The positions that are predicted in a row."""
    return masked.positions[row][masked.weights[row] > 0].tolist()


def words_of(ids):
    """The positions of each word, read from left to right."""
    words = []
    for position, token_id in enumerate(ids):
        if token_id in SPECIAL:
            continue
        joins = TOKENS[token_id].startswith("##")
        if joins and position and ids[position - 1] not in SPECIAL:
            words[-1].append(position)
        else:
            words.append([position])
    return words


@kinds
def test_the_only_word_of_a_row_is_the_one_to_predict(masking):
    ids, masked = mask_rows(
        ["[CLS] c [SEP]"], masking=masking, mask_mixture=(100, 0, 0)
    )

    assert masked.token_ids[0].tolist() == [CLS, MASK, SEP] + [PAD] * 9
    assert masked.positions.tolist() == [[1, 0]]
    assert masked.ids.tolist() == [[VOCABULARY.ids["c"], 0]]
    assert masked.weights.tolist() == [[1, 0]]


@kinds
def test_unk_may_stand_for_the_mask(masking):
    _, masked = mask_rows(
        ["[CLS] c [SEP]"], masking=masking, mask_mixture=(100, 0, 0), mask_token="[UNK]"
    )

    assert masked.token_ids[0, :3].tolist() == [CLS, UNK, SEP]


def test_a_whole_word_goes_with_all_of_its_pieces():
    _, masked = mask_rows(
        ["[CLS] a ##f ##g ##h [SEP]"],
        masking="whole-word",
        mask_rate=0.7,
        mask_mixture=(100, 0, 0),
    )

    assert masked.token_ids[0, :6].tolist() == [CLS, MASK, MASK, MASK, MASK, SEP]


@pytest.mark.parametrize("masking", ["whole-word", "span"])
def test_a_word_beyond_the_budget_is_passed_over(masking):
    # 8 tokens: round(0.3 * 8) = 2 predictions, and a word of 4 pieces.
    for record in range(20):
        _, masked = mask_rows(
            ["[CLS] a ##f ##g ##h b c [SEP]"],
            masking=masking,
            mask_rate=0.3,
            records=[record],
        )

        assert hidden(masked) == [5, 6]


@pytest.mark.parametrize("masking", ["whole-word", "span"])
def test_a_row_of_one_word_beyond_the_budget_has_no_prediction(masking):
    ids, masked = mask_rows(["[CLS] a ##f ##g ##h [SEP]"], masking=masking)

    assert not masked.weights.any()
    assert (masked.token_ids == ids).all()


@pytest.mark.parametrize("masking", ["whole-word", "span"])
def test_pieces_without_their_head_are_a_word_of_their_own(masking):
    # Truncation may cut a word in front; the original joins it to the word before.
    seen = set()
    for record in range(30):
        _, masked = mask_rows(
            ["[CLS] a [SEP] ##f ##g [SEP]"],
            masking=masking,
            mask_rate=0.34,
            records=[record],
        )
        seen.add(tuple(hidden(masked)))

    # Budget 2: both pieces, or "a", after which the two do not fit.
    assert seen == {(1,), (3, 4)}


def test_a_span_ends_before_a_special_token():
    for record in range(30):
        _, masked = mask_rows(
            ["[CLS] a b [SEP] c d e [SEP]"],
            masking="span",
            mask_rate=1.0,
            max_predictions=3,
            records=[record],
        )

        assert len(hidden(masked)) == 3
        assert not set(hidden(masked)) & {0, 3, 7}


@kinds
@pytest.mark.parametrize(
    "text",
    ["", "[CLS]", "[CLS] [SEP] [SEP]", "[CLS] [UNK] [MASK] [SEP]", "[PAD] [PAD]"],
)
def test_rows_of_special_tokens_stay_as_they_are(masking, text):
    ids, masked = mask_rows([text, "[CLS] a [SEP]"], masking=masking, mask_rate=1.0)

    assert (masked.token_ids[0] == ids[0]).all()
    assert not masked.weights[0].any()
    assert masked.weights[1].sum() == 1


@kinds
def test_padding_is_not_masked_even_where_it_looks_like_tokens(masking):
    ids = tf.fill([1, 8], VOCABULARY.ids["a"])
    settings = MaskingSettings(masking=masking, mask_rate=1.0, mask_mixture=(100, 0, 0))

    masked = Masker(settings, VOCABULARY, length=8)(
        ids, [3], seed=1, epochs=[0], records=[0]
    )
    assert masked.token_ids.numpy().tolist() == [[MASK] * 3 + [7] * 5]


@kinds
def test_no_random_token_is_special_or_unused(masking):
    text = "[CLS] " + "a ##f b c ##g ##h d e " * 5 + "[SEP]"
    _, masked = mask_rows(
        [text] * 50, masking=masking, length=42, mask_rate=0.9, mask_mixture=(0, 100, 0)
    )

    seen = {
        int(masked.token_ids[row, position])
        for row in range(50)
        for position in hidden(masked, row)
    }
    assert seen == set(range(TOKENS.index("a"), len(TOKENS)))


@kinds
def test_a_row_is_masked_alike_in_every_batch(masking):
    texts = ["[CLS] a ##f b c ##g d e [SEP]", "[CLS] b [SEP]", "[CLS] c d e a [SEP]"]
    together = mask_rows(texts, masking=masking, mask_rate=0.5, records=[7, 8, 9])[1]

    for row, text in enumerate(texts):
        alone = mask_rows(
            [text, *texts], masking=masking, mask_rate=0.5, records=[7 + row, 1, 2, 3]
        )[1]
        for one, other in zip(alone, together, strict=True):
            assert (one[0] == other[row]).all()


@kinds
def test_masks_change_with_the_epoch_the_record_and_the_seed(masking):
    text = "[CLS] a b c d e a b c d e [SEP]"

    def positions(**options):
        masked = mask_rows([text] * 20, masking=masking, mask_rate=0.3, **options)[1]
        return [tuple(hidden(masked, row)) for row in range(20)]

    once = positions()
    assert positions() == once
    assert len(set(once)) > 10
    for other in ({"epoch": 1}, {"seed": 2}, {"records": range(20, 40)}):
        assert sum(a != b for a, b in zip(once, positions(**other), strict=True)) > 10


def test_random_tokens_need_some_in_the_vocabulary():
    empty = Vocabulary.from_tokens(TOKENS[:7])

    with pytest.raises(ConfigError, match="a vocabulary of special tokens only"):
        Masker(MaskingSettings(), empty, length=8)
    assert Masker(MaskingSettings(mask_mixture=(90, 0, 10)), empty, length=8).slots == 2


ANY_ROW = st.lists(st.sampled_from(TOKENS), max_size=12).map(" ".join)


@given(
    texts=st.lists(ANY_ROW, min_size=1, max_size=3),
    masking=st.sampled_from(KINDS),
    rate=st.sampled_from([0.01, 0.15, 0.5, 1.0]),
    limit=st.sampled_from([None, 1, 3, 12, 100]),
    mixture=st.sampled_from([(80, 10, 10), (0, 0, 100), (0, 100, 0), (100, 0, 0)]),
    seed=st.integers(0, 2**63 - 1),
)
@settings(max_examples=150, deadline=None)
def test_any_row_keeps_the_promises(texts, masking, rate, limit, mixture, seed):
    ids, masked = mask_rows(
        texts,
        masking=masking,
        mask_rate=rate,
        max_predictions=limit,
        mask_mixture=mixture,
        seed=seed,
    )

    for row, text in enumerate(texts):
        count = len(text.split())
        where = hidden(masked, row)
        budget = min(max(1, round(rate * count)), limit or 12, masked.weights.shape[1])
        words = words_of(ids[row, :count])
        assert where == sorted(set(where))
        assert len(where) <= budget
        assert not SPECIAL & set(ids[row, where])
        assert masked.ids[row, : len(where)].tolist() == ids[row, where].tolist()
        assert not masked.positions[row, len(where) :].any()
        assert not masked.ids[row, len(where) :].any()
        untouched = np.delete(np.arange(12), where)
        assert (masked.token_ids[row, untouched] == ids[row, untouched]).all()
        if masking == "token":
            assert len(where) == min(budget, sum(map(len, words)))
        else:
            chosen = [word for word in words if set(word) & set(where)]
            assert sum(chosen, []) == where
            passed = [len(word) for word in words if word not in chosen]
            assert all(size > budget - len(where) for size in passed)
