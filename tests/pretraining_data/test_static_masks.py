"""kbert/pretraining_data/static_masks.py"""

import numpy as np
import pytest
import tensorflow as tf

from kbert.pretraining_data.rows import Rows
from kbert.pretraining_data.static_masks import static_records
from kbert.vocabulary import SPECIAL_TOKENS, Vocabulary

LENGTH, MOST = 32, 5
WORDS = 400
# Ids 5 to 404 begin a word, 405 to 804 go on with one.
VOCABULARY = Vocabulary.from_tokens(
    [
        *SPECIAL_TOKENS,
        *(f"w{number}" for number in range(WORDS)),
        *(f"##w{number}" for number in range(WORDS)),
    ]
)
PAD, _, CLS, SEP, MASK = range(5)


def random_rows(count, *, parts=2, seed=0):
    """Rows of 2 to 29 tokens at random places of a text of 5000."""
    generator = np.random.default_rng(seed)
    tokens = generator.integers(5, len(VOCABULARY), 5000)
    first = generator.integers(1, 15, count)
    second = generator.integers(1, 15, count) if parts == 2 else 0 * first
    starts = generator.integers(0, 4900, (count, 2))
    columns = [starts[:, 0], starts[:, 0] + first, starts[:, 1], starts[:, 1] + second]
    table = np.stack(columns, axis=1)
    if parts == 1:
        table[:, 2:] = 0
    labels = generator.integers(0, 2, count)
    return Rows(table, labels, 0, 0), tokens


def parsed(rows, tokens, *, masking="token", most=MOST, seed="a", batch=100):
    """The records as Google's own reader parses them."""
    schema = {
        "input_ids": tf.io.FixedLenFeature([LENGTH], tf.int64),
        "input_mask": tf.io.FixedLenFeature([LENGTH], tf.int64),
        "segment_ids": tf.io.FixedLenFeature([LENGTH], tf.int64),
        "masked_lm_positions": tf.io.FixedLenFeature([most], tf.int64),
        "masked_lm_ids": tf.io.FixedLenFeature([most], tf.int64),
        "masked_lm_weights": tf.io.FixedLenFeature([most], tf.float32),
        "next_sentence_labels": tf.io.FixedLenFeature([1], tf.int64),
    }
    batches = static_records(
        rows,
        tokens,
        VOCABULARY,
        length=LENGTH,
        masking=masking,
        max_predictions=most,
        batch=batch,
        seed=seed,
    )
    records = [record for one in batches for record in one]
    found = tf.io.parse_example(records, schema)
    return {name: values.numpy() for name, values in found.items()}


def unmasked(found):
    """The ids with what was masked put back."""
    ids = found["input_ids"].copy()
    rows, slots = np.nonzero(found["masked_lm_weights"])
    ids[rows, found["masked_lm_positions"][rows, slots]] = found["masked_lm_ids"][
        rows, slots
    ]
    return ids


@pytest.mark.parametrize("masking", ["token", "whole-word"])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_record_is_a_padded_row_with_what_is_masked_beside_it(parts, masking):
    rows, tokens = random_rows(250, parts=parts)
    found = parsed(rows, tokens, masking=masking)

    ids = unmasked(found)
    for row, (a0, a1, b0, b1) in enumerate(rows.parts.tolist()):
        first = [CLS, *tokens[a0:a1], SEP]
        second = [*tokens[b0:b1], SEP] if parts == 2 else []
        padding = LENGTH - len(first) - len(second)
        assert ids[row].tolist() == [*first, *second, *[PAD] * padding]
        assert found["segment_ids"][row].tolist() == [
            *[0] * len(first),
            *[1] * len(second),
            *[0] * padding,
        ]
        assert found["input_mask"][row].sum() == LENGTH - padding
    assert (found["input_mask"] == (ids != PAD)).all()
    assert found["next_sentence_labels"][:, 0].tolist() == rows.labels.tolist()


@pytest.mark.parametrize("masking", ["token", "whole-word"])
def test_no_special_token_is_masked_and_empty_slots_are_zero(masking):
    rows, tokens = random_rows(500)
    found = parsed(rows, tokens, masking=masking)

    weights = found["masked_lm_weights"]
    assert set(np.unique(weights)) <= {0, 1}
    assert (np.diff(weights, axis=1) <= 0).all()
    assert (found["masked_lm_ids"][weights == 1] >= len(SPECIAL_TOKENS)).all()
    for name in ("masked_lm_ids", "masked_lm_positions"):
        assert (found[name][weights == 0] == 0).all()
    steps = np.diff(found["masked_lm_positions"], axis=1)
    assert (steps[weights[:, 1:] == 1] > 0).all()


def test_each_row_has_15_percent_masks_at_least_one_and_at_most_so_many():
    rows, tokens = random_rows(500)
    found = parsed(rows, tokens, most=4)

    sizes = found["input_mask"].sum(axis=1)
    wanted = [min(4, max(1, round(size * 0.15))) for size in sizes.tolist()]
    assert found["masked_lm_weights"].sum(axis=1).tolist() == wanted


def within(share, expected, count):
    """Whether a share is within four standard errors of what is expected."""
    return abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / count)


def test_of_ten_masks_eight_hide_one_keeps_and_one_changes():
    rows, tokens = random_rows(20_000)
    found = parsed(rows, tokens, batch=1024)

    chosen = np.nonzero(found["masked_lm_weights"])
    places = found["masked_lm_positions"][chosen]
    shown = found["input_ids"][chosen[0], places]
    own = found["masked_lm_ids"][chosen]
    others = shown[(shown != MASK) & (shown != own)]
    count = len(shown)
    assert within((shown == MASK).mean(), 0.8, count)
    # One random token in 800 is the one that stood there.
    assert within((shown == own).mean(), 0.1 + 0.1 / 800, count)
    assert others.min() == len(SPECIAL_TOKENS)
    assert others.max() == len(VOCABULARY) - 1
    assert within((others < 405).mean(), 0.5, len(others))


def test_every_place_of_a_row_is_masked_as_often():
    rows, tokens = random_rows(1)
    rows = Rows(np.tile([[0, 14, 100, 114]], (20_000, 1)), np.zeros(20_000, int), 0, 0)
    found = parsed(rows, tokens, batch=1024)

    counts = np.bincount(found["masked_lm_positions"].ravel(), minlength=LENGTH)
    own = np.delete(counts[:31], [0, 15, 30])
    assert counts[[0, 15, 30, 31]].tolist() == [0, 0, 0, 0]
    assert within(own / 20_000, 5 / 28, 20_000).all()  # 15 % of 31 is 5


def words_of(ids):
    """The places of each word of a row; none goes on across a special token."""
    words = []
    for place, one in enumerate(ids):
        if one >= 405 and words and words[-1][-1] == place - 1:
            words[-1].append(place)
        elif one >= len(SPECIAL_TOKENS):
            words.append([place])
    return words


def test_whole_words_are_masked_whole_or_not_at_all():
    rows, tokens = random_rows(500)
    found = parsed(rows, tokens, masking="whole-word")

    ids = unmasked(found)
    sizes = found["input_mask"].sum(axis=1)
    for row in range(len(ids)):
        count = int(found["masked_lm_weights"][row].sum())
        masked = set(found["masked_lm_positions"][row, :count].tolist())
        words = words_of(ids[row])
        for word in words:
            assert set(word) <= masked or not masked & set(word)
        wanted = min(MOST, max(1, round(int(sizes[row]) * 0.15)))
        assert count <= wanted
        left = [word for word in words if not masked & set(word)]
        assert all(len(word) > wanted - count for word in left)


def test_the_seed_decides_the_masks_and_nothing_else():
    rows, tokens = random_rows(50)
    one, again, other = (parsed(rows, tokens, seed=seed) for seed in "aab")

    assert (one["input_ids"] == again["input_ids"]).all()
    assert (one["input_ids"] != other["input_ids"]).any()
    assert (unmasked(one) == unmasked(other)).all()
