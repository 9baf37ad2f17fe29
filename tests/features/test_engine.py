"""kbert/features/engine.py, and what it is made of: units, rows, batches, frozen."""

import dataclasses
import itertools

import numpy as np
import pytest
from slow_features import SlowExtractor, Wish

from kbert import build_encoder
from kbert.errors import CheckpointError, ConfigError
from kbert.features import engine as module
from kbert.features.engine import FeatureEngine
from kbert.features.settings import FeatureSettings
from kbert.readers import Item
from kbert.store import STATUSES

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
TEXTS = [
    "The dog sat on the mat.",
    "",
    "\u200b \x01",  # controls only: words without a piece
    "cat",
    "ß€ the \U0001f600 cats running",
    "中国 the中国",
    "the cat sat on the mat , the dog ran to the other mats and sat on it again !" * 2,
    ALPHABET + " the " + ALPHABET[:15] + " end",  # words longer than a window
    "dog " * 14,  # fills the window
    "dog " * 15,
]
PAIRS = [
    ("the dog", "the cat sat"),
    ("", "cat"),
    ("cat", ""),
    ("", ""),
    ("the dog sat on the mat " * 3, "cats"),
    ("cats", "the dog sat on the mat " * 3),
    (ALPHABET, ALPHABET),
]
WORDS = [
    ("the", "\u200b", "cats", "", "ß", ALPHABET, "sat on", "\x01"),
    ("\x01",),
    (),
    ("the", "cat", "sat", "on", "the", "mat") * 5,
]
ITEMS = [
    *(Item("a", n, 0, text=text) for n, text in enumerate(TEXTS)),
    *(Item("a", n, 0, text=one, text_pair=two) for n, (one, two) in enumerate(PAIRS)),
    *(Item("a", n, 0, words=words) for n, words in enumerate(WORDS)),
]
LAYERS = {(-1,): (3,), "emb,-2:": (0, 2, 3), "all": (1, 2, 3)}


COMBINES = ["concat", "mean", "sum", "max", "stack"]
POOLS = [
    ("token", "first"),
    *(("word", pool) for pool in ("first", "last", "mean", "max")),
    *(("sentence", pool) for pool in ("mean", "max", "cls", "pooler")),
]


def wishes():
    """Every pool with every way to combine; slow but for one way a pool."""
    layers = itertools.cycle(LAYERS)
    every = list(itertools.product(POOLS, COMBINES))
    for number, ((unit, pool), combine) in enumerate(every):
        chosen = (-1,) if pool == "pooler" else next(layers)
        # Six steps on: the next pool, and the next way to combine.
        marks = [] if number % 6 == 0 else [pytest.mark.slow]
        yield pytest.param(unit, pool, combine, chosen, marks=marks)


@pytest.fixture(scope="module")
def slow(tiny_bert):
    return SlowExtractor(tiny_bert)


def engine_for(bert, unit, **choices):
    return FeatureEngine(bert, FeatureSettings(unit=unit, **choices))


@pytest.mark.parametrize(("unit", "pool", "combine", "layers"), list(wishes()))
def test_features_equal_those_of_one_window_at_a_time(
    tiny_bert, slow, unit, pool, combine, layers
):
    pools = {} if unit == "token" else {f"{unit}_pool": pool}
    engine = engine_for(
        tiny_bert, unit, layers=layers, combine=combine, stride=5, **pools
    )

    features = engine(ITEMS)

    wish = Wish(unit, LAYERS[layers], combine, pool, max_length=16, stride=5)
    assert len(features) == len(ITEMS)
    for number, item in enumerate(ITEMS):
        vectors, statuses = slow(item, wish)
        found = features[number]
        expected = np.array(vectors, "float32").reshape(len(vectors), *engine.row_shape)
        np.testing.assert_allclose(found, expected, atol=1e-5, err_msg=str(item))
        first, last = features.text_splits[number : number + 2]
        assert [STATUSES[one] for one in features.status[first:last]] == statuses


@pytest.mark.parametrize("unit", ["token", "word", "sentence"])
def test_batch_mates_and_order_do_not_matter(tiny_bert, unit, monkeypatch):
    engine = engine_for(tiny_bert, unit, layers="-2:")
    together = engine(ITEMS)
    order = np.random.default_rng(0).permutation(len(ITEMS))

    monkeypatch.setattr(module, "TOKENS_PER_BATCH", 40)
    shuffled = engine([ITEMS[number] for number in order])

    for place, number in enumerate(order):
        alone = engine([ITEMS[number]])
        np.testing.assert_allclose(shuffled[place], together[number], atol=1e-5)
        np.testing.assert_allclose(alone[0], together[number], atol=1e-5)


def test_normalized_vectors_have_length_one_and_empty_words_stay_zero(tiny_bert):
    engine = engine_for(tiny_bert, "word", layers="all", normalize=True)

    values = engine([Item("a", 1, 0, words=("the", "\x01", "cat"))]).values

    np.testing.assert_allclose(np.linalg.norm(values, axis=-1), [1, 0, 1], atol=1e-6)


def test_stacked_layers_are_normalized_one_by_one(tiny_bert):
    engine = engine_for(
        tiny_bert, "sentence", layers="all", combine="stack", normalize=True
    )

    values = engine([Item("a", 1, 0, text="the cat")]).values

    np.testing.assert_allclose(np.linalg.norm(values, axis=-1), 1, atol=1e-6)
    assert values.shape == (1, 3, 12)


@pytest.mark.parametrize("unit", ["token", "word", "sentence"])
def test_no_items_have_no_features(tiny_bert, unit):
    features = engine_for(tiny_bert, unit)([])

    assert len(features) == 0
    assert features.values.shape == (0, 12)


def test_layers_above_the_highest_chosen_one_are_not_computed(tiny_bert):
    engine = engine_for(tiny_bert, "sentence", layers=1)
    nodes = engine._encode._run.graph.as_graph_def().node
    products = [node.name for node in nodes if node.op == "MatMul"]

    assert any("layer_1" in name for name in products)
    assert not any("layer_2" in name for name in products)


def in_document_context(bert, sentences, documents, **choices):
    engine = engine_for(bert, "word", context="document", **choices)
    items = [
        Item("a", n, document, words=tuple(words.split()))
        for n, (words, document) in enumerate(zip(sentences, documents, strict=True))
    ]
    return engine, items


def test_a_word_in_its_document_equals_the_same_word_in_the_joined_text(
    tiny_bert, slow
):
    sentences = ["the cat", "sat", "on the mat", "the dog"]
    engine, items = in_document_context(tiny_bert, sentences, [0, 0, 0, 1])

    features = engine(items)

    wish = Wish("word", (3,), "concat", "first", max_length=16, stride=7)
    whole, _ = slow(
        Item("a", 1, 0, words=("the", "cat", "sat", "on", "the", "mat")), wish
    )
    other, _ = slow(Item("a", 1, 0, words=("the", "dog")), wish)
    np.testing.assert_allclose(features.values, whole + other, atol=1e-5)


def test_only_targets_are_encoded_in_the_context_of_all(tiny_bert):
    sentences = ["the cat sat"] * 3 + ["on the mat the dog"] * 4
    engine, items = in_document_context(tiny_bert, sentences, [0] * 7)

    part = engine(items, targets=range(2, 5))

    every = engine(items)
    assert len(part) == 3
    for text in range(3):
        np.testing.assert_allclose(part[text], every[2 + text], atol=1e-5)
    assert part.names == every.names[2:5]


def test_a_sentence_in_context_is_the_mean_of_its_own_tokens(tiny_bert):
    items = [Item("a", n, 0, text=text) for n, text in enumerate(["the cat", "sat on"])]
    tokens = engine_for(tiny_bert, "token", context="document")(items)

    sentences = engine_for(tiny_bert, "sentence", context="document")(items)

    means = [tokens[text].mean(axis=0) for text in range(2)]
    np.testing.assert_allclose(sentences.values, means, atol=1e-5)


def test_a_pair_has_no_document_context(tiny_bert):
    engine = engine_for(tiny_bert, "sentence", context="document")

    with pytest.raises(ConfigError, match=r"a\.csv, line 3: a pair has no document"):
        engine([Item("a.csv", 3, 0, text="a", text_pair="b")])


def test_a_pair_needs_a_model_of_two_segments(tiny_bert):
    config = dataclasses.replace(tiny_bert.config, num_segments=1)
    bert = dataclasses.replace(
        tiny_bert, config=config, encoder=build_encoder(config, dtype="float32")
    )

    with pytest.raises(
        ConfigError, match=r"a\.csv, line 3: .* no segment for a second"
    ):
        engine_for(bert, "sentence")([Item("a.csv", 3, 0, text="a", text_pair="b")])


def test_a_model_without_a_vocabulary_is_refused(tiny_bert):
    with pytest.raises(CheckpointError, match="no vocabulary.*vocab.txt"):
        engine_for(dataclasses.replace(tiny_bert, tokenizer=None), "word")


def test_a_check_that_raises_ends_the_work(tiny_bert):
    calls = []

    def check():
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt

    engine = engine_for(tiny_bert, "word", max_length=3)
    with pytest.raises(KeyboardInterrupt):
        engine([Item("a", 1, 0, text="dog " * 3000)], check=check)

    assert len(calls) == 2


def test_bfloat16_points_the_same_way(tiny_bert):
    exact = engine_for(tiny_bert, "word")(ITEMS).values
    rough = engine_for(tiny_bert, "word", compute_dtype="bfloat16")(ITEMS).values

    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(rough, axis=1)
    cosines = (exact * rough).sum(axis=1)[lengths > 0] / lengths[lengths > 0]
    assert rough.dtype == np.float32
    assert cosines.min() > 0.98
    assert not np.array_equal(exact, rough)
