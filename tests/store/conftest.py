"""Fixtures for the tests of the store."""

import numpy as np
import pytest

from kbert.store import FeatureChunk, FeatureStore, StoreWriter


@pytest.fixture
def make_chunks():
    """Chunks of 3 items with 0 to 4 rows each; the same for the same arguments."""

    def make(count=4, row_shape=(5,), dtype="float32"):
        rng = np.random.default_rng(0)
        chunks = []
        for chunk in range(count):
            rows = rng.integers(0, 5, 3)
            features = rng.normal(size=(rows.sum(), *row_shape)).astype(dtype)
            status = rng.integers(0, 4, rows.sum()).astype("u1")
            records = [{"id": f"é{chunk}.{item}", "n": item} for item in range(3)]
            chunks.append(FeatureChunk(features, rows, status, records))
        return chunks

    return make


@pytest.fixture
def make_store(tmp_path, make_chunks):
    """A store of those chunks, in several shards by default, and its chunks."""

    def make(name="out", *, shard_bytes=200, summary=None, **kwargs):
        chunks = make_chunks(**kwargs)
        writer = StoreWriter(
            tmp_path / name,
            settings={"layers": [-1]},
            row_shape=chunks[0].features.shape[1:],
            dtype=chunks[0].features.dtype.name,
            shard_bytes=shard_bytes,
        )
        with writer:
            for chunk in chunks:
                writer.append(chunk)
            writer.finish(summary)
        return FeatureStore.open(tmp_path / name), chunks

    return make
