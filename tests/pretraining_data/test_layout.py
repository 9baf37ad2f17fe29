"""kbert/pretraining_data/layout.py"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbert.errors import ConfigError, InputError
from kbert.pretraining_data import PretrainingDataSettings, StaticMasks
from kbert.pretraining_data.layout import plan_layout


def plan(documents, tokens=1000, **settings):
    chosen = PretrainingDataSettings(**settings)
    return plan_layout(chosen, {"documents": documents, "tokens": tokens})


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=30),
    st.integers(1, 7),
    st.floats(0, 0.5),
    st.sampled_from(["nsp", "none"]),
)
def test_each_document_is_dealt_to_one_shard(blocks, shards, fraction, objective):
    least = 2 if objective == "nsp" else 1
    documents = sum(blocks)
    if documents < 2 * least * shards:
        return
    layout = plan(
        documents, shards=shards, evaluation_fraction=fraction, objective=objective
    )

    seen, sizes = [], []
    for split, count in layout.shards.items():
        for shard in range(count):
            own, first = [], 0
            for block in blocks:
                found = layout.documents_of(split, shard, first, block)
                own += (first + found).tolist()
                first += block
            seen += own
            sizes.append((split, len(own)))
    assert sorted(seen) == list(range(documents))
    for split in layout.shards:
        own = [size for name, size in sizes if name == split]
        assert max(own, default=0) - min(own, default=0) <= 1
        assert min(own, default=least) >= least
    held_out = sum(size for name, size in sizes if name == "evaluation")
    assert held_out == layout.evaluation_documents


def test_one_document_in_a_hundred_is_held_out_evenly_over_the_corpus():
    layout = plan(5000)
    held_out = layout.documents_of("evaluation", 0, 0, 5000)

    assert len(held_out) == layout.evaluation_documents == 50
    assert set(np.diff(held_out)) == {100}


@pytest.mark.parametrize(
    ("objective", "documents", "held_out"),
    [("nsp", 3, 0), ("nsp", 4, 2), ("none", 1, 0), ("none", 2, 1), ("sop", 90, 1)],
)
def test_training_comes_first_where_documents_are_few(objective, documents, held_out):
    assert plan(documents, objective=objective).evaluation_documents == held_out


def test_nothing_is_held_out_if_nothing_is_asked_for():
    layout = plan(5000, evaluation_fraction=0)

    assert layout.evaluation_documents == layout.shards["evaluation"] == 0


@pytest.mark.parametrize(
    ("documents", "tokens", "copies", "shards"),
    [
        (2, 9, None, 1),  # of two documents each
        (7, 9, None, 2),  # two of the seven are held out
        (99, 9, None, 16),
        (10**6, 256 << 23, None, 254),  # 8 Mi tokens each, of 99 % of the documents
        (10**6, 256 << 23, 4, 1014),
    ],
)
def test_there_are_as_many_shards_as_memory_and_documents_ask_for(
    documents, tokens, copies, shards
):
    static = copies and StaticMasks(dupe_factor=copies)

    assert plan(documents, tokens, static=static).shards["train"] == shards


def test_more_shards_than_documents_can_fill_are_refused():
    message = r"shards=6 for 10 documents; expected at most 5, 2 for each"
    with pytest.raises(ConfigError, match=message):
        plan(10, shards=6, evaluation_fraction=0)


def test_one_document_is_too_few_for_nsp_and_the_error_says_what_to_do():
    with pytest.raises(InputError, match="one document, .* objective sop or none"):
        plan(1)


def test_no_document_is_too_few_for_anything():
    with pytest.raises(InputError, match="nothing is left of the corpus"):
        plan(0, objective="none")
