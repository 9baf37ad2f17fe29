"""kbert/tasks/batches.py"""

import dataclasses
import itertools

import numpy as np
import pytest

from kbert.errors import ConfigError
from kbert.tasks import Column, Rows, steps_per_epoch, training_batches
from kbert.tasks.batches import row_outputs


def make_rows(lengths, *, choices=1, words=0):
    """Rows whose first token is the number of the row, and so is the label."""
    splits = np.concatenate([[0], np.cumsum(lengths)])
    ids = np.ones(splits[-1], np.int32)
    ids[splits[:-1]] = np.arange(len(lengths))
    inputs = {
        "token_ids": Column(ids, splits),
        "segment_ids": Column(np.zeros_like(ids), splits),
    }
    units = np.arange(len(lengths) // choices, dtype=np.int32)
    target = Column(units)
    if words:  # each so many tokens are one
        counts = -(-np.asarray(lengths) // words)
        ends = np.concatenate([[0], np.cumsum(counts)])
        places = np.concatenate([words * np.arange(one) for one in counts])
        inputs["word_positions"] = Column(places.astype(np.int32), ends)
        target = Column(places.astype(np.int32), ends)
    weight = Column(np.ones(len(target.values), np.float32), target.splits)
    return Rows(
        inputs, {"head": target}, {"head": weight}, np.arange(len(lengths)), choices
    )


def take(rows, count, **options):
    dataset = training_batches(rows, **{"batch_size": 4, "seed": 1, **options})
    return list(itertools.islice(dataset.as_numpy_iterator(), count))


def labels_of(batches):
    """The rows that each batch has, without those that only fill it up."""
    return [y["head"][w["head"] > 0].tolist() for _, y, w in batches]


@pytest.mark.parametrize("bucketed", [True, False])
@pytest.mark.parametrize("count", [1, 4, 11, 300])
def test_each_epoch_has_every_row_once(count, bucketed):
    rows = make_rows(3 + np.arange(count) % 40)
    steps = steps_per_epoch(rows, 4)

    batches = labels_of(take(rows, 2 * steps, bucketed=bucketed))

    assert steps == -(-count // 4)
    for epoch in (batches[:steps], batches[steps:]):
        assert sorted(itertools.chain(*epoch)) == list(range(count))


def test_epochs_have_other_orders_and_seeds_too():
    rows = make_rows([5] * 40)

    batches = labels_of(take(rows, 20))

    assert batches[:10] != batches[10:]
    assert batches[:10] != labels_of(take(rows, 10, seed=2))


def test_from_a_later_step_the_same_batches_follow():
    rows = make_rows(3 + np.arange(30) % 17)

    whole, later = take(rows, 20), take(rows, 9, start_step=11)

    for (x, y, w), (x2, y2, w2) in zip(whole[11:], later, strict=True):
        for one, other in zip((x, y, w), (x2, y2, w2), strict=True):
            assert {name: array.tolist() for name, array in one.items()} == {
                name: array.tolist() for name, array in other.items()
            }


def test_tokens_stand_where_the_mask_says_and_nowhere_else():
    rows = make_rows(3 + np.arange(30) % 17)

    for x, y, w in take(rows, 8):
        lengths = x["padding_mask"].sum(axis=1)
        numbers = y["head"][w["head"] > 0]
        there = w["head"] > 0
        assert lengths[there].tolist() == rows.lengths[numbers].tolist()
        assert x["token_ids"][there, 0].tolist() == numbers.tolist()
        assert (x["token_ids"][~x["padding_mask"]] == 0).all()
        assert (
            x["padding_mask"] == (np.arange(x["token_ids"].shape[1]) < lengths[:, None])
        ).all()
        assert lengths.min() >= 1


def test_rows_of_like_lengths_share_a_batch():
    generator = np.random.default_rng(0)
    rows = make_rows(generator.integers(3, 120, 4000))

    def padding(bucketed):
        epoch = take(rows, 250, batch_size=16, bucketed=bucketed)
        return 1 - sum(x["padding_mask"].sum() for x, _, _ in epoch) / sum(
            x["padding_mask"].size for x, _, _ in epoch
        )

    # By hand: uniform lengths up to 120 are half of 128 on average; the widths that
    # are compiled are at most half as large again as the one before.
    assert padding(False) > 0.45
    assert padding(True) < 0.2
    widths = {x["token_ids"].shape[1] for x, _, _ in take(rows, 250, batch_size=16)}
    assert len(widths) <= 8


def test_hosts_share_each_batch():
    rows = make_rows(3 + np.arange(30) % 17)

    whole = take(rows, 8)
    parts = [take(rows, 8, host=host, num_hosts=2) for host in (0, 1)]

    for (x, y, _), (x0, y0, _), (x1, y1, _) in zip(whole, *parts, strict=True):
        assert x0["token_ids"].shape == x1["token_ids"].shape
        assert y["head"][0::2].tolist() == y0["head"].tolist()
        assert y["head"][1::2].tolist() == y1["head"].tolist()
        assert x["token_ids"][1::2].tolist() == x1["token_ids"].tolist()


@pytest.mark.parametrize("bucketed", [True, False])
def test_hosts_have_equal_shapes_where_words_are_few(bucketed):
    # A fifth of 3 to 276 tokens, in steps of 16: widths of words differ in a batch.
    rows = make_rows(3 + 7 * np.arange(40), words=5)

    whole = take(rows, 20, bucketed=bucketed)
    parts = [
        take(rows, 20, bucketed=bucketed, host=host, num_hosts=2) for host in (0, 1)
    ]

    for batch, first, second in zip(whole, *parts, strict=True):
        for one, own, other in zip(batch, first, second, strict=True):
            for name, array in one.items():
                assert own[name].shape == other[name].shape
                assert array[0::2].tolist() == own[name].tolist()
                assert array[1::2].tolist() == other[name].tolist()
    assert len({x["word_positions"].shape for x, _, _ in whole}) > 1


def test_the_rows_of_a_question_stay_together():
    rows = make_rows(3 + np.arange(40) % 17, choices=4)

    for x, y, w in take(rows, 3):
        numbers = y["head"][w["head"] > 0]
        there = x["token_ids"][w["head"] > 0]
        assert there.shape[1] == 4
        assert there[:, :, 0].tolist() == (4 * numbers[:, None] + np.arange(4)).tolist()
    assert steps_per_epoch(rows, 4) == 3


@pytest.mark.parametrize(("share", "own"), [(1, False), (5, True)])
def test_words_have_a_width_of_their_own_where_they_are_few(share, own):
    rows = make_rows(30 + np.arange(30) % 17, words=share)

    for x, y, w in take(rows, 8):
        words = w["head"].sum(axis=1).astype(int)
        assert x["word_positions"].shape == y["head"].shape == w["head"].shape
        assert (w["head"] == (np.arange(w["head"].shape[1]) < words[:, None])).all()
        assert (y["head"][w["head"] == 0] == 0).all()
        tokens = x["token_ids"].shape[1]
        # At least 30 tokens: a fifth are 6 words or more, in steps of 16.
        assert x["word_positions"].shape[1] == (16 if own else tokens)


class Echo:
    """In place of a model: says of each token, or row, its id."""

    def __init__(self, per_token):
        self.per_token, self.shapes = per_token, set()

    def predict_on_batch(self, x):
        self.shapes.add(x["token_ids"].shape)
        ids = x["token_ids"].astype("float32")
        return {"head": ids[..., None] if self.per_token else ids[..., 0]}


@pytest.mark.parametrize("per_token", [True, False])
def test_outputs_come_back_in_order_without_padding(per_token):
    lengths = 3 + np.arange(30) % 40
    rows, model = make_rows(lengths), Echo(per_token)

    found = row_outputs(model, rows, batch_size=4)

    assert len(found) == 30
    for number, (length, output) in enumerate(zip(lengths, found, strict=True)):
        assert output.shape == ((length, 1) if per_token else ())
        assert np.ravel(output)[0] == number
    assert {batch for batch, _ in model.shapes} == {4}


def test_outputs_of_questions_have_all_choices():
    rows = make_rows(3 + np.arange(40) % 17, choices=4)

    found = row_outputs(Echo(False), rows, batch_size=3)

    assert np.array(found).tolist() == np.arange(40).reshape(10, 4).tolist()


def test_no_rows_have_no_outputs():
    assert row_outputs(Echo(True), make_rows(np.zeros(0, int)), batch_size=3) == []


def test_what_cannot_be_trained_on_is_named():
    rows = make_rows([3, 4])
    with pytest.raises(ConfigError, match="batch_size=0; expected 1 or more"):
        steps_per_epoch(rows, 0)
    with pytest.raises(ConfigError, match="rows without labels; expected those of"):
        training_batches(dataclasses.replace(rows, targets={}), batch_size=4, seed=1)
