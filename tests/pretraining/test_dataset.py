"""kbert/pretraining/dataset.py, streams.py"""

import itertools
from collections import Counter

import numpy as np
import pytest
import tensorflow as tf
from pretraining_records import LENGTH, VOCABULARY, number_of

from kbert import ConfigError
from kbert.masking import MaskingSettings
from kbert.pretraining.dataset import evaluation_dataset, training_dataset

KEPT = MaskingSettings(mask_mixture=(0, 0, 100))


def training(data, steps, **options):
    options = {
        "length": LENGTH,
        "batch_size": 4,
        "masking": MaskingSettings(mask_rate=0.4),
        "seed": 1,
        "shuffle_buffer": 8,
        **options,
    }
    return list(training_dataset(data, **options).take(steps).as_numpy_iterator())


def numbers(elements):
    """The number of each row's record, one list for each batch."""
    return [[number_of(row) for row in x["token_ids"]] for x, _, _ in elements]


def flat(lists):
    return list(itertools.chain(*lists))


def same(left, right):
    left, right = tf.nest.flatten(left), tf.nest.flatten(right)
    return len(left) == len(right) and all(
        one.dtype == other.dtype and np.array_equal(one, other)
        for one, other in zip(left, right, strict=True)
    )


def test_a_batch_holds_what_its_records_hold(dynamic_data):
    x, y, weights = training(dynamic_data, 1, masking=KEPT)[0]

    for row, number in enumerate(numbers([(x, y, weights)])[0]):
        ids = x["token_ids"][row]
        count = x["padding_mask"][row].sum()
        places = np.arange(LENGTH)
        assert ids[0] == VOCABULARY.cls_id
        assert ids[3] == VOCABULARY.sep_id
        assert (ids[count:] == VOCABULARY.pad_id).all()
        assert x["padding_mask"][row].tolist() == (places < count).tolist()
        second = (places >= 4) & (places < count)
        assert x["segment_ids"][row].tolist() == second.astype(int).tolist()
        assert y["next_sentence"][row] == number % 2
        assert weights["next_sentence"][row] == 1
        predictions = int(weights["masked_lm"][row].sum())
        assert 1 <= predictions <= round(0.15 * LENGTH)
        where = x["mask_positions"][row, :predictions]
        assert y["masked_lm"][row, :predictions].tolist() == ids[where].tolist()


def test_elements_have_static_shapes_and_the_types_of_the_contract(dynamic_data):
    dataset = training_dataset(
        dynamic_data, length=LENGTH, batch_size=6, masking=KEPT, seed=1
    )

    int32, float32 = tf.int32, tf.float32
    assert dataset.element_spec == (
        {
            "token_ids": tf.TensorSpec((6, LENGTH), int32),
            "segment_ids": tf.TensorSpec((6, LENGTH), int32),
            "padding_mask": tf.TensorSpec((6, LENGTH), tf.bool),
            "mask_positions": tf.TensorSpec((6, 3), int32),
        },
        {
            "masked_lm": tf.TensorSpec((6, 3), int32),
            "next_sentence": tf.TensorSpec((6,), int32),
        },
        {
            "masked_lm": tf.TensorSpec((6, 3), float32),
            "next_sentence": tf.TensorSpec((6,), float32),
        },
    )


def test_each_epoch_has_every_record_once_and_goes_over_into_the_next(dynamic_data):
    # 50 records and batches of 4: every second epoch ends inside a batch.
    taken = flat(numbers(training(dynamic_data, 50, masking=KEPT)))

    epochs = [taken[start : start + 50] for start in range(0, 200, 50)]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_a_run_goes_on_from_a_step_as_if_it_had_never_stopped(dynamic_data):
    whole = training(dynamic_data, 45)

    for step in (1, 12, 13, 40):
        assert same(training(dynamic_data, 45 - step, start_step=step), whole[step:])


@pytest.mark.parametrize(("streams", "window"), [(4, 8), (1, 3), (2, 1000)])
def test_streams_and_windows_also_go_on_from_a_step(dynamic_data, streams, window):
    options = {"streams": streams, "shuffle_buffer": window}
    whole = training(dynamic_data, 25, **options)

    assert same(training(dynamic_data, 8, start_step=17, **options), whole[17:])


@pytest.mark.parametrize("window", [7, 1000])
def test_every_window_has_every_record_once_an_epoch(dynamic_data, window):
    taken = training(dynamic_data, 25, masking=KEPT, shuffle_buffer=window)

    assert Counter(flat(numbers(taken))) == dict.fromkeys(range(50), 2)


def test_a_window_of_one_goes_through_the_shards_in_random_order(dynamic_data):
    taken = flat(numbers(training(dynamic_data, 250, masking=KEPT, shuffle_buffer=1)))
    shards = [range(0, 19), range(19, 26), range(26, 37), range(37, 50)]

    orders = set()
    for epoch in range(20):
        records = taken[50 * epoch : 50 * epoch + 50]
        order = sorted(shards, key=lambda shard: records.index(shard[0]))
        assert records == flat(order)
        orders.add(tuple(map(min, order)))
    assert len(orders) > 8  # of 24


def test_records_are_shuffled_within_each_window_and_differently(dynamic_data):
    taken = flat(numbers(training(dynamic_data, 125, masking=KEPT, shuffle_buffer=5)))
    plain = flat(numbers(training(dynamic_data, 125, masking=KEPT, shuffle_buffer=1)))

    orders = set()
    for start in range(0, 500, 5):
        window = plain[start : start + 5]
        assert sorted(taken[start : start + 5]) == sorted(window)
        orders.add(tuple(window.index(one) for one in taken[start : start + 5]))
    assert len(orders) > 50  # 100 windows, of 120 orders


def test_two_hosts_make_together_the_batches_of_one(dynamic_data):
    one = training(dynamic_data, 40, streams=2)
    hosts = [
        training(dynamic_data, 40, streams=2, host=host, num_hosts=2) for host in (0, 1)
    ]

    joined = [
        tf.nest.map_structure(lambda *parts: np.concatenate(parts), *parts)
        for parts in zip(*hosts, strict=True)
    ]
    assert same(joined, one)


def test_four_streams_on_two_hosts_are_the_same_rows(dynamic_data):
    one = numbers(training(dynamic_data, 30, streams=4, masking=KEPT))
    hosts = [
        numbers(
            training(dynamic_data, 30, streams=4, host=host, num_hosts=2, masking=KEPT)
        )
        for host in (0, 1)
    ]

    joined = [sorted(left + right) for left, right in zip(*hosts, strict=True)]
    assert joined == [sorted(batch) for batch in one]


def test_a_host_opens_its_own_shards_only(dynamic_data, monkeypatch):
    shards = [
        shard if index % 2 else shard._replace(path=shard.path / "absent")
        for index, shard in enumerate(dynamic_data.shards(LENGTH))
    ]
    monkeypatch.setattr(dynamic_data, "splits", {"train": shards})

    taken = training(dynamic_data, 30, streams=2, host=1, num_hosts=2, masking=KEPT)
    assert set(flat(numbers(taken))) == {*range(19, 26), *range(37, 50)}


@pytest.mark.parametrize("step", [10**6, 10**12])
def test_a_run_starts_at_once_however_far_it_got(dynamic_data, step):
    (x, _, _), *_ = training(dynamic_data, 1, start_step=step)

    assert x["token_ids"].shape == (4, LENGTH)


def masks_of_records(data, steps, **options):
    """The masked positions of each record, epoch by epoch; every token is kept."""
    masking = MaskingSettings(mask_rate=0.4, mask_mixture=(0, 0, 100))
    found = {}
    for element in training(data, steps, masking=masking, **options):
        x, _, weights = element
        for row, number in enumerate(numbers([element])[0]):
            places = x["mask_positions"][row][weights["masked_lm"][row] > 0]
            found.setdefault(number, []).append(tuple(places))
    return found


def test_masks_are_new_in_each_epoch_and_with_each_seed(dynamic_data):
    once = masks_of_records(dynamic_data, 25)
    other = masks_of_records(dynamic_data, 25, seed=2)

    assert sum(first != second for first, second in once.values()) > 25
    assert sum(once[number] != other[number] for number in once) > 25


def test_streams_and_batches_change_the_order_but_no_masks(dynamic_data):
    once = masks_of_records(dynamic_data, 25)
    other = masks_of_records(dynamic_data, 20, batch_size=6, streams=2)

    assert {number: found[0] for number, found in other.items()} == {
        number: found[0] for number, found in once.items()
    }


def test_evaluation_has_each_held_out_record_once_and_the_same_masks(dynamic_data):
    options = {"length": LENGTH, "batch_size": 4, "seed": 3}
    masked = MaskingSettings(mask_rate=0.4)

    def elements(masking):
        dataset = evaluation_dataset(dynamic_data, masking=masking, **options)
        return list(dataset.as_numpy_iterator())

    kept = elements(KEPT)
    rows = flat(element[2]["next_sentence"] for element in kept)
    taken = [one for one, row in zip(flat(numbers(kept)), rows, strict=True) if row]
    assert taken == list(range(50, 57))
    assert kept[-1][2]["masked_lm"][3:].sum() == 0
    assert kept[-1][2]["masked_lm"][:3].sum(axis=1).min() >= 1
    assert same(elements(masked), elements(masked))


def test_static_records_keep_their_masks(static_data):
    element = training(static_data, 1, masking=None, batch_size=6)[0]
    x, y, weights = element

    assert (x["token_ids"][:, 1] == VOCABULARY.mask_id).all()
    assert x["mask_positions"].tolist() == [[1, 0, 0]] * 6
    assert y["masked_lm"].tolist() == [[10, 0, 0]] * 6
    assert weights["masked_lm"].tolist() == [[1, 0, 0]] * 6
    lengths = x["padding_mask"].sum(axis=1)
    assert x["segment_ids"].sum(axis=1).tolist() == [1] * 6
    assert (x["segment_ids"][np.arange(6), lengths - 1] == 1).all()
    assert sorted(y["next_sentence"]) == [0, 0, 0, 1, 1, 1]
    assert element[0].keys() == training(static_data, 1, masking=None)[0][0].keys()


def test_without_an_objective_for_sentences_there_is_no_such_part(unlabelled_data):
    (_, y, weights), *_ = training(unlabelled_data, 1)

    assert list(y) == list(weights) == ["masked_lm"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"length": 17}, r"length=17; expected one of 16"),
        ({"batch_size": 5, "streams": 2}, r"batch_size=5 with streams=2; expected"),
        ({"batch_size": 0}, r"batch_size=0; expected a whole number, at least 1"),
        ({"streams": 3, "num_hosts": 2, "batch_size": 6}, r"streams=3 with num_hosts"),
        ({"streams": 8, "batch_size": 8}, r"streams=8 with 4 shards of length 16"),
        ({"host": 1}, r"host=1; expected 0 to 0"),
        ({"start_step": -1}, r"start_step=-1; expected a whole number, at least 0"),
        ({"seed": -1}, r"seed=-1; expected a whole number, at least 0"),
        ({"seed": 1 << 63}, r"seed=9223372036854775808; expected a number below"),
        ({"masking": None}, r"masking=None; expected MaskingSettings"),
        ({"shuffle_buffer": 0}, r"shuffle_buffer=0; expected"),
    ],
)
def test_settings_that_do_not_fit_are_named(dynamic_data, options, message):
    with pytest.raises(ConfigError, match=message):
        training(dynamic_data, 1, **options)


def test_static_records_refuse_other_masks(static_data):
    with pytest.raises(ConfigError, match="hold their masks already; expected no"):
        training(static_data, 1)


def test_nothing_held_out_is_named(static_data):
    with pytest.raises(ConfigError, match="nothing of length 16 is held out"):
        evaluation_dataset(
            static_data, length=LENGTH, batch_size=2, masking=None, seed=1
        )
