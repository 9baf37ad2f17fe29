"""Features of the real model against sentence-transformers, transformers and counts."""

import functools

import numpy as np
import pytest

from kbert import (
    Bert,
    BertConfig,
    FeatureSettings,
    FeatureStore,
    Tokenizer,
    build_encoder,
)
from kbert.features.engine import FeatureEngine
from kbert.features.extraction import ExtractionJob, extract_features_to
from kbert.readers import Item, ReaderOptions

pytestmark = pytest.mark.real_data
EMPTY, OK, UNK, TRUNCATED = 2, 0, 1, 3


def engine_for(bert, **choices):
    return FeatureEngine(bert, FeatureSettings(**choices))


def conll_sentences(path):
    """A plain parser: blank lines end sentences, -DOCSTART- is none."""
    words = []
    for line in path.read_text("utf-8").split("\n"):
        if line.strip() and not line.startswith("-DOCSTART-"):
            words.append(line.split("\t" if "\t" in line else " ")[0])
        elif words:
            yield words
            words = []


@functools.cache
def sentences(shared):
    """1,000 sentences: the first 500 of CoNLL's dev set, and of the STS dev set."""
    words = list(conll_sentences(shared / "data/conll2003/valid.txt"))[:500]
    rows = (shared / "data/stsbenchmark/sts-dev.csv").read_text("utf-8").split("\n")
    return [" ".join(one) for one in words] + [row.split("\t")[5] for row in rows[:500]]


@pytest.mark.oracle
@pytest.mark.slow
def test_sentence_vectors_equal_those_of_sentence_transformers(minilm, shared):
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    transformer = modules.Transformer(str(shared / "models/minilm-l6-v2"))
    peer = SentenceTransformer(
        modules=[transformer, modules.Pooling(384, "mean"), modules.Normalize()],
        device="cpu",
    )
    texts = sentences(shared)

    expected = peer.encode(texts, batch_size=64, show_progress_bar=False)

    items = [Item("a", n, 0, text=text) for n, text in enumerate(texts)]
    found = engine_for(minilm, normalize=True)(items).values
    assert len(texts) == 1000
    np.testing.assert_allclose(found, expected, atol=1e-4)


@functools.cache
def hidden_states(shared, count):
    """By transformers: for each sentence all states [L+1, T, H], words, the pooler."""
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = shared / "models/minilm-l6-v2"
    tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True)
    model = AutoModel.from_pretrained(folder).eval()
    found = []
    for words in list(conll_sentences(shared / "data/conll2003/test.txt"))[:count]:
        inputs = tokenizer(words, is_split_into_words=True, return_tensors="pt")
        with torch.no_grad():
            said = model(**inputs, output_hidden_states=True)
        states = torch.stack(said.hidden_states)[:, 0].numpy()
        found.append((words, states, inputs.word_ids(), said.pooler_output[0].numpy()))
    return found


def items_of(found):
    return [Item("a", n, 0, words=tuple(one[0])) for n, one in enumerate(found)]


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("pool", "layers", "numbers"),
    [
        ("first", -1, [6]),
        *((pool, "-4:", [3, 4, 5, 6]) for pool in ("first", "last", "mean", "max")),
    ],
)
def test_word_vectors_equal_hidden_states_of_transformers(
    minilm, shared, pool, layers, numbers
):
    found = hidden_states(shared, 100)
    pools = {"first": lambda v: v[0], "last": lambda v: v[-1]}
    pools |= {"mean": lambda v: v.mean(0), "max": lambda v: v.max(0)}

    features = engine_for(minilm, unit="word", layers=layers, word_pool=pool)(
        items_of(found)
    )

    for sentence, (words, states, word_ids, _) in enumerate(found):
        vectors = np.concatenate(states[numbers], axis=-1)  # [T, layers · H]
        expected = [
            pools[pool](vectors[[at for at, one in enumerate(word_ids) if one == word]])
            for word in range(len(words))
        ]
        np.testing.assert_allclose(features[sentence], expected, atol=1e-4)


@pytest.mark.oracle
@pytest.mark.parametrize("pool", ["cls", "pooler"])
def test_cls_and_pooler_equal_those_of_transformers(minilm, shared, pool):
    found = hidden_states(shared, 100)

    features = engine_for(minilm, sentence_pool=pool)(items_of(found)).values

    expected = [states[-1, 0] if pool == "cls" else out for _, states, _, out in found]
    np.testing.assert_allclose(features, expected, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["word", "sentence"])
def test_bfloat16_points_the_same_way_as_float32(minilm, shared, unit):
    items = [Item("a", 1, 0, text=text) for text in sentences(shared)[::4]]

    exact = engine_for(minilm, unit=unit)(items).values
    rough = engine_for(minilm, unit=unit, compute_dtype="bfloat16")(items).values

    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(rough, axis=1)
    assert ((exact * rough).sum(axis=1) / lengths).min() >= 0.99


@functools.cache
def small_engine(vocabulary):
    """Random weights, so that a whole corpus takes seconds; the vocabulary is real."""
    tokenizer = Tokenizer(vocabulary)
    config = BertConfig(
        vocabulary_size=len(tokenizer.vocabulary),
        num_layers=1,
        num_heads=1,
        hidden_dim=4,
        intermediate_dim=4,
    )
    bert = Bert(config=config, encoder=build_encoder(config), tokenizer=tokenizer)
    return engine_for(bert, unit="word")


CORPORA = [
    ("conll2003/train.txt", "uncased", 14_041, 203_621),
    ("conll2003/valid.txt", "uncased", 3_250, 51_362),
    ("conll2003/test.txt", "uncased", 3_453, 46_435),
    ("wnut17/wnut17train.conll", "uncased", 3_394, 62_730),
    ("wnut17/emerging.dev.conll", "uncased", 1_009, 15_733),
    ("wnut17/emerging.test.annotated", "uncased", 1_287, 23_394),
    ("weibo_ner/weiboNER_2nd_conll.train", "chinese", 1_350, 73_778),
    ("weibo_ner/weiboNER_2nd_conll.dev", "chinese", 270, 14_509),
    ("weibo_ner/weiboNER_2nd_conll.test", "chinese", 270, 14_842),
    ("msra_ner/dev.txt", "chinese", 4_631, 172_601),
]


@pytest.mark.parametrize(("name", "vocabulary", "items", "rows"), CORPORA)
def test_every_word_of_a_corpus_has_its_row(
    shared, tmp_path, name, vocabulary, items, rows
):
    path = shared / "data" / name
    engine = small_engine(shared / f"data/vocab/bert-base-{vocabulary}-vocab.txt")
    job = ExtractionJob(inputs=[str(path)], reading=ReaderOptions(format="conll"))

    report = extract_features_to(engine, job, tmp_path / "out")

    assert (report.items, report.rows) == (items, rows)  # as published
    store = FeatureStore.open(tmp_path / "out")
    found = [item["words"] for item in store.items()]
    assert found == list(conll_sentences(path))
    assert np.diff(store.offsets).tolist() == [len(words) for words in found]


HOSTILE = {
    "\x01": EMPTY,
    "\u200b\u200d": EMPTY,
    "\ufeff": EMPTY,
    "\ufffd": EMPTY,
    "\u00a0": EMPTY,
    "\u3000\u2003": EMPTY,
    "": EMPTY,
    "\u0301": EMPTY,  # an accent alone
    "word": OK,
    "wo\x01rd": OK,
    "Zürich": OK,
    "x" * 5000: UNK,
    "ab" * 100: OK,  # 200 characters: the longest word
    "ab" * 100 + "a": UNK,
    "!" * 5000: TRUNCATED,
    "中" * 600: TRUNCATED,
    "\U0001f468\u200d\U0001f469\u200d\U0001f467": UNK,
    "\U0001f600" * 300: UNK,
    "[CLS]": OK,
    "##s": OK,
    "two words": OK,
    "a\u2028b": OK,
    "-DOCSTART-x": OK,
}


def test_every_hostile_word_has_its_row_and_its_status(shared, tmp_path):
    path = tmp_path / "hostile.conll"
    text = "".join(f"{word}\tO\n" for word in HOSTILE)
    path.write_text(f"{text}\n{text}", "utf-8", newline="")
    engine = small_engine(shared / "data/vocab/bert-base-uncased-vocab.txt")

    report = extract_features_to(
        engine, ExtractionJob(inputs=[str(path)]), tmp_path / "out"
    )

    store = FeatureStore.open(tmp_path / "out")
    statuses = dict(zip(HOSTILE, store.status.tolist(), strict=False))
    assert statuses == HOSTILE
    assert (report.items, report.rows) == (2, 2 * len(HOSTILE))
    zero = ~store.to_numpy().any(axis=1)
    assert np.array_equal(zero, store.status == EMPTY)


def test_an_empty_cell_is_an_item_with_its_row(shared, tmp_path):
    path = tmp_path / "cells.csv"
    path.write_text('text,n\n,1\n"  ",2\n\u00a0,3\nword,4\n')
    small = small_engine(shared / "data/vocab/bert-base-uncased-vocab.txt")

    extract_features_to(
        engine_for(small.bert), ExtractionJob(inputs=[str(path)]), tmp_path / "out"
    )

    status = FeatureStore.open(tmp_path / "out").status
    assert status.tolist() == [EMPTY, EMPTY, EMPTY, OK]
