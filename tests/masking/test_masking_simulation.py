"""kbert/masking: a million random tokens, and what has to hold of any vocabulary"""

from typing import NamedTuple

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from kbert import Vocabulary
from kbert.masking import Masker, MaskingSettings, draws
from kbert.masking.selection import choose_spans, span_lengths
from kbert.vocabulary import SPECIAL_TOKENS

ROWS, LENGTH, RATE = 8000, 128, 0.15
HEADS, TAILS, FIRST = 260, 140, len(SPECIAL_TOKENS)
VOCABULARY = Vocabulary.from_tokens(
    [
        *SPECIAL_TOKENS,
        *(f"head{number}" for number in range(HEADS)),
        *(f"##tail{number}" for number in range(TAILS)),
    ]
)


class Simulation(NamedTuple):
    ids: np.ndarray
    lengths: np.ndarray
    candidates: np.ndarray
    seen: np.ndarray
    hidden: np.ndarray
    slots: np.ndarray


def random_rows():
    """Rows of 20 to 128 tokens: [CLS] words [SEP] words [SEP], a third of them ##."""
    random = np.random.default_rng(0)
    lengths = random.integers(20, LENGTH + 1, ROWS)
    lengths[: ROWS * 3 // 4] = LENGTH
    joins = random.random((ROWS, LENGTH)) < 1 / 3
    ids = np.where(
        joins,
        random.integers(FIRST + HEADS, FIRST + HEADS + TAILS, (ROWS, LENGTH)),
        random.integers(FIRST, FIRST + HEADS, (ROWS, LENGTH)),
    )
    places = np.arange(LENGTH)
    separators = (places == random.integers(5, 15, ROWS)[:, None]) | (
        places == lengths[:, None] - 1
    )
    ids[separators] = VOCABULARY.sep_id
    ids[:, 0] = VOCABULARY.cls_id
    ids[places >= lengths[:, None]] = VOCABULARY.pad_id
    return ids.astype("int32"), lengths


@pytest.fixture(
    scope="module",
    params=[
        ("token", "[MASK]", (80, 10, 10)),
        ("whole-word", "[MASK]", (80, 10, 10)),
        ("span", "[MASK]", (80, 10, 10)),
        ("token", "[UNK]", (50, 37.5, 12.5)),
    ],
    ids=lambda param: f"{param[0]}-{param[1]}",
)
def case(request):
    """The settings of a simulation and its outcome."""
    masking, mask_token, mixture = request.param
    settings = MaskingSettings(
        masking=masking, mask_token=mask_token, mask_mixture=mixture
    )
    masker = Masker(settings, VOCABULARY, length=LENGTH)
    ids, lengths = random_rows()
    seen, hidden, slots = [], np.zeros(ids.shape, bool), []
    for start in range(0, ROWS, 500):
        rows = slice(start, start + 500)
        masked = masker(
            ids[rows],
            lengths[rows],
            seed=5,
            epochs=tf.zeros(500, tf.int64),
            records=tf.range(start, start + 500, dtype=tf.int64),
        )
        used = masked.weights.numpy() > 0
        row = np.nonzero(used)[0]
        hidden[start + row, masked.positions.numpy()[used]] = True
        seen.append(masked.token_ids.numpy())
        slots.append(used.sum(axis=1))
    outcome = Simulation(
        ids, lengths, ids >= FIRST, np.concatenate(seen), hidden, np.concatenate(slots)
    )
    return settings, outcome


def within_three_standard_errors(hits, chances, share):
    """Whether the share of hits is right; the predictions of a row are not independent.

    Args:
        hits: how many of each row's predictions were of a kind.
        chances: how many predictions each row has.
        share: of that kind, over all.
    """
    excess = hits - share * chances
    return abs(excess.sum()) < 3 * np.sqrt((excess**2).sum())


def test_the_sample_is_about_a_million_tokens(case):
    assert case[1].lengths.sum() > 900_000


def test_only_candidates_are_predicted_and_all_else_stays(case):
    _, found = case

    assert not (found.hidden & ~found.candidates).any()
    assert (found.seen == found.ids)[~found.hidden].all()
    assert (found.hidden.sum(axis=1) == found.slots).all()  # no position twice


def test_the_share_of_predictions_is_the_promised_one(case):
    settings, found = case
    # Python rounds halves to even, as the original's round() does.
    wanted = np.array([max(1, round(length * RATE)) for length in found.lengths])

    assert settings.slots(LENGTH) == 20
    assert (found.slots <= np.minimum(wanted, 20)).all()
    if settings.masking == "token":
        assert (found.slots == wanted).all()
    else:
        # Only a last piece or two may find no word that fits.
        assert found.slots.sum() > 0.995 * wanted.sum()


def test_every_candidate_is_equally_likely(case):
    """By place in the row, and by id; words and spans differ at the ends of parts."""
    settings, found = case
    whole = found.lengths == LENGTH
    middle = slice(30, 110)
    counts = found.hidden[whole][:, middle].sum(axis=0)
    if settings.masking == "token":
        assert stats.chisquare(counts).pvalue > 1e-3
    mean = counts.mean()
    assert np.abs(counts - mean).max() < 5 * np.sqrt(mean)


def test_the_mixture_is_the_promised_one(case):
    settings, found = case
    masked, random, kept = (share / 100 for share in settings.mask_mixture)
    size = HEADS + TAILS
    mask_id = VOCABULARY.ids[settings.mask_token]
    same, to_mask = found.seen == found.ids, found.seen == mask_id

    def hits(kind):
        return (found.hidden & kind).sum(axis=1)

    # One random token in 400 is the one that stood there before.
    for kind, share in (
        (to_mask, masked),
        (~same & ~to_mask, random * (1 - 1 / size)),
        (same, kept + random / size),
    ):
        assert within_three_standard_errors(hits(kind), found.slots, share)
        assert not within_three_standard_errors(hits(kind), found.slots, share + 0.02)


def test_random_tokens_are_uniform_over_the_vocabulary(case):
    settings, found = case
    mask_id = VOCABULARY.ids[settings.mask_token]
    replaced = found.hidden & (found.seen != found.ids) & (found.seen != mask_id)

    counts = np.bincount(found.seen[replaced], minlength=len(VOCABULARY))
    assert counts[:FIRST].sum() == 0
    assert len(counts) == FIRST + HEADS + TAILS
    assert stats.chisquare(counts[FIRST:]).pvalue > 1e-3


def test_words_are_whole_unless_tokens_are_chosen_one_by_one(case):
    settings, found = case
    joins = (found.ids >= FIRST + HEADS) & np.roll(found.candidates, 1, axis=1)

    whole = (found.hidden == np.roll(found.hidden, 1, axis=1))[joins].all()
    assert whole == (settings.masking != "token")


def test_what_becomes_of_pieces_is_drawn_for_each_piece_or_each_span(case):
    settings, found = case
    mask_id = VOCABULARY.ids[settings.mask_token]
    to_mask = found.seen == mask_id
    joins = (found.ids >= FIRST + HEADS) & np.roll(found.candidates, 1, axis=1)
    both = found.hidden & np.roll(found.hidden, 1, axis=1) & joins
    alike = both & (to_mask == np.roll(to_mask, 1, axis=1))

    masked = settings.mask_mixture[0] / 100
    share = 1.0 if settings.masking == "span" else masked**2 + (1 - masked) ** 2
    hits, chances = alike.sum(axis=1), both.sum(axis=1)
    assert chances.sum() > 5000
    if share == 1:
        assert (hits == chances).all()
    else:
        assert within_three_standard_errors(hits, chances, share)


def test_spans_in_rows_are_as_long_as_the_draws_say():
    """The first span of each row, which no budget and no other span cuts."""
    words, rows = 100, 10_000
    keys = draws.key(9, tf.range(rows))
    order, bits, sizes = tf.unstack(draws.draws(keys, 3, words), axis=1)
    spans = choose_spans(
        1 + draws.choices(sizes, 3),
        groups=tf.zeros([rows, words], tf.int32),
        order=order,
        lengths=span_lengths(bits),
        budget=tf.fill([rows], 30),  # ten words of three pieces
    ).numpy()

    first = spans == 0
    room = first.argmax(axis=1) <= words - 10
    counts = np.bincount(first.sum(axis=1)[room], minlength=11)
    shares = 0.2 * 0.8 ** np.arange(10)
    assert counts[0] == 0
    assert len(counts) == 11
    assert stats.chisquare(counts[1:], room.sum() * shares / shares.sum()).pvalue > 1e-3


def test_spans_begin_at_any_piece_with_equal_chance():
    """A word of three pieces is three times as likely as one of one, as in SpanBERT."""
    rows = 30_000
    row = [
        VOCABULARY.cls_id,
        *[FIRST, FIRST + HEADS, FIRST + HEADS],
        *range(FIRST + 1, FIRST + 7),
    ]
    ids = tf.tile(tf.constant([row]), [rows, 1])
    settings = MaskingSettings(masking="span", mask_rate=1.0, max_predictions=3)
    masked = Masker(settings, VOCABULARY, length=len(row))(
        ids,
        tf.fill([rows], len(row)),
        seed=1,
        epochs=tf.zeros(rows, tf.int64),
        records=tf.range(rows, dtype=tf.int64),
    )

    # The budget takes the first word only if a span begins there.
    share = (masked.positions[:, 0] == 1).numpy().mean()
    assert abs(share - 3 / 9) < 3 * np.sqrt(3 / 9 * 6 / 9 / rows)
