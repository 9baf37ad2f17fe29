"""kbert/masking/draws.py"""

import numpy as np
import tensorflow as tf
from scipy import stats

from kbert.masking import draws


def test_draws_are_those_of_splitmix64():
    """A walk in plain Python, from Steele, Lea and Flood 2014, figure 17."""
    mask, golden = (1 << 64) - 1, 0x9E3779B97F4A7C15

    def mix(bits):
        bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9 & mask
        bits = (bits ^ bits >> 27) * 0x94D049BB133111EB & mask
        return bits ^ bits >> 31

    state = mix(5 + golden & mask)  # the seed
    state = mix(state + 8 * golden & mask)  # the number 7 of its sequence, from 0
    expected = []
    for _ in range(6):
        state = state + golden & mask
        expected.append(mix(state) >> 33)

    assert draws.draws(draws.key(5, 7), 2, 3).numpy().ravel().tolist() == expected


def test_every_number_makes_another_key_and_their_order_matters():
    keys = [
        int(draws.key(*numbers))
        for numbers in [(1,), (1, 0), (0, 1), (1, 0, 0), (1, -1), (1, 2, 3), (1, 3, 2)]
    ]

    assert len(set(keys)) == len(keys)


def test_a_batch_of_keys_draws_what_each_of_them_draws_alone():
    keys = draws.key(3, [4, 5, -1], [0, 2**40, 7])

    alone = [draws.draws(keys[row], 5) for row in range(3)]
    assert draws.draws(keys, 5).numpy().tolist() == tf.stack(alone).numpy().tolist()
    assert int(keys[1]) == int(draws.key(3, 5, 2**40))


def test_draws_are_uniform_within_a_key_and_across_keys():
    # Neighbours in every respect: records in a row, in two epochs.
    keys = draws.key(1, tf.repeat([0, 1], 500), tf.tile(tf.range(500), [2]))
    fractions = draws.fractions(draws.draws(keys, 64)).numpy()

    assert stats.kstest(fractions.ravel(), "uniform").pvalue > 1e-3
    assert (
        stats.kstest(fractions.mean(axis=0), "norm", (0.5, 1 / 12000**0.5)).pvalue
        > 1e-3
    )
    assert (
        stats.kstest(fractions.mean(axis=1), "norm", (0.5, 1 / 768**0.5)).pvalue > 1e-3
    )
    both = np.corrcoef(fractions[:500].ravel(), fractions[500:].ravel())[0, 1]
    assert abs(both) < 3 / 32000**0.5
    next_one = np.corrcoef(fractions[:, 1:].ravel(), fractions[:, :-1].ravel())[0, 1]
    assert abs(next_one) < 3 / 63000**0.5


def test_choices_reach_both_ends():
    lowest, highest = 0, 2**31 - 1

    assert draws.choices(tf.constant([lowest, highest]), 7).numpy().tolist() == [0, 6]
    assert draws.fractions(tf.constant(highest)).numpy() < 1


def test_permutations_are_all_equally_likely():
    keys = draws.key(2, tf.range(720))
    seen = [tuple(draws.permutation(one, 4).numpy()) for one in keys]

    _, counts = np.unique(seen, axis=0, return_counts=True)
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 1e-3
