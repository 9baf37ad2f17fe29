"""kbert/store/reader.py, datasets.py"""

import numpy as np
import pytest

from kbert.errors import ConfigError, InputError
from kbert.store import FeatureChunk, FeatureStore, StoreWriter


@pytest.mark.parametrize("shard_bytes", [200, 10**6], ids=["shards", "one shard"])
@pytest.mark.parametrize(
    ("row_shape", "dtype"), [((5,), "float32"), ((3, 2), "float16")]
)
def test_every_item_comes_back_as_it_was_written(
    make_store, row_shape, dtype, shard_bytes
):
    store, chunks = make_store(
        row_shape=row_shape, dtype=dtype, shard_bytes=shard_bytes
    )
    items = []
    for chunk in chunks:
        items += np.split(chunk.features, np.cumsum(chunk.rows_per_item)[:-1])
    store.verify()

    assert len(store) == len(items) == len(list(store))
    for index, item in enumerate(items):
        np.testing.assert_array_equal(store[index], item, strict=True)
        np.testing.assert_array_equal(store[index - len(items)], item, strict=True)
    for mmap in (True, False):
        np.testing.assert_array_equal(store.to_numpy(mmap=mmap), np.concatenate(items))
    assert list(store.items()) == [one for chunk in chunks for one in chunk.records]


def test_one_shard_is_mapped_and_read_only(make_store):
    store, _ = make_store(shard_bytes=10**6)

    assert isinstance(store.to_numpy(), np.memmap)
    assert not isinstance(store.to_numpy(mmap=False), np.memmap)
    assert not store[1].flags.writeable


def test_an_item_that_is_not_there_is_an_index_error(make_store):
    store, _ = make_store()
    for index in (12, -13):
        with pytest.raises(
            IndexError, match=f"item {index if index > 0 else -13} of 12"
        ):
            store[index]


@pytest.mark.parametrize("max_bytes", [1, 100, 10**6])
def test_chunks_give_everything_in_order(make_store, max_bytes):
    store, chunks = make_store()
    read = list(store.chunks(max_bytes=max_bytes))

    for name in ("features", "rows_per_item", "status"):
        np.testing.assert_array_equal(
            np.concatenate([getattr(one, name) for one in read]),
            np.concatenate([getattr(one, name) for one in chunks]),
        )
    assert sum((one.records for one in read), []) == sum(
        (one.records for one in chunks), []
    )
    for one in read:
        assert one.features.nbytes <= max_bytes or len(one.rows_per_item) == 1


def test_a_store_that_took_the_place_of_another_is_read_anew(make_store, tmp_path):
    store, chunks = make_store()
    before = store[0].copy()
    changed = [
        FeatureChunk(-one.features, one.rows_per_item, one.status, one.records)
        for one in chunks
    ]
    options = {"settings": {}, "row_shape": (5,), "shard_bytes": 200}
    with StoreWriter(tmp_path / "out", overwrite=True, **options) as out:
        for chunk in changed:
            out.append(chunk)
        out.finish()

    np.testing.assert_array_equal(FeatureStore.open(tmp_path / "out")[0], -before)


def test_a_folder_without_a_manifest_is_no_store(tmp_path):
    with pytest.raises(
        InputError, match=r"holds no manifest\.json; expected a feature"
    ):
        FeatureStore.open(tmp_path)
    with pytest.raises(InputError, match="no such folder; expected a feature store"):
        FeatureStore.open(tmp_path / "none")


@pytest.fixture
def rows_of(make_store):
    """A store, and the rows of each item, as lists."""
    store, _ = make_store()
    return store, [item.tolist() for item in store]


def test_a_dataset_without_batches_gives_the_items_in_order(rows_of):
    store, items = rows_of
    dataset = store.as_tf_dataset()

    assert [part.numpy().tolist() for part in dataset] == items
    assert dataset.cardinality() == 12


def test_ragged_batches_hold_every_row(rows_of):
    store, items = rows_of
    batches = list(store.as_tf_dataset(5))

    assert [one.shape[0] for one in batches] == [5, 5, 2]
    assert sum((one.to_list() for one in batches), []) == items


def test_padded_batches_have_a_mask_that_is_true_for_rows(rows_of):
    store, items = rows_of
    (features, mask) = next(iter(store.as_tf_dataset(12, layout="padded")))

    assert features.shape == (*mask.shape, 5)
    assert mask.numpy().sum(1).tolist() == [len(item) for item in items]
    assert features.numpy()[mask.numpy()].tolist() == sum(items, [])
    assert not features.numpy()[~mask.numpy()].any()


def test_shuffling_is_a_permutation_that_depends_on_the_seed_alone(rows_of):
    store, items = rows_of

    def order(seed):
        return [
            part.numpy().tolist()
            for part in store.as_tf_dataset(shuffle=True, seed=seed)
        ]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert sorted(order(1)) == sorted(items)


def test_flat_batches_are_for_one_row_an_item(tmp_path, rows_of):
    features = np.arange(21, dtype="float32").reshape(7, 3)
    chunk = FeatureChunk(features, np.ones(7, "i8"), np.zeros(7, "u1"), [{}] * 7)
    with StoreWriter(tmp_path / "flat", settings={}, row_shape=(3,)) as out:
        out.append(chunk)
        out.finish()
    batches = list(FeatureStore.open(tmp_path / "flat").as_tf_dataset(4, layout="flat"))

    np.testing.assert_array_equal(np.concatenate(batches), features)
    with pytest.raises(ConfigError, match="layout='flat' with items of several rows"):
        rows_of[0].as_tf_dataset(4, layout="flat")


@pytest.mark.parametrize("wrong", [{"layout": "dense"}, {"batch_size": 0}])
def test_arguments_of_the_dataset_are_checked(make_store, wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ConfigError, match=f"{name}={value!r}"):
        make_store()[0].as_tf_dataset(**wrong)
