"""kbert.tokenizer equals the original BERT tokenizer, id by id."""

import functools
import random
import unicodedata

import numpy as np
import pytest
import tensorflow as tf

from kbert import Tokenizer
from kbert.vocabulary import SPECIAL_TOKENS

needs_unicode_14 = pytest.mark.skipif(
    unicodedata.unidata_version != "14.0.0",
    reason="the reference below takes Unicode from Python; kbert's is 14.0.0",
)
IDEOGRAPHS = [
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
]


def reference_words(text, lowercase, strip_accents):
    """BasicTokenizer of google-research/bert, rewritten from its description."""
    cleaned = []
    for char in text:
        category = unicodedata.category(char)
        if char in " \t\n\r" or category == "Zs":
            cleaned.append(" ")
        elif char in "\0\ufffd" or category in ("Cc", "Cf"):
            continue
        elif any(low <= ord(char) <= high for low, high in IDEOGRAPHS):
            cleaned.append(f" {char} ")
        else:
            cleaned.append(char)
    words = []
    for word in "".join(cleaned).split():
        word = word.lower() if lowercase else word
        if strip_accents:
            decomposed = unicodedata.normalize("NFD", word)
            word = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
        words += "".join(f" {c} " if is_punctuation(c) else c for c in word).split()
    return words


def is_punctuation(char):
    symbol = (
        char.isascii() and char.isprintable() and not char.isalnum() and char != " "
    )
    return symbol or unicodedata.category(char).startswith("P")


def reference_pieces(word, ids):
    """WordpieceTokenizer of google-research/bert."""
    pieces, start = [], 0
    while start < len(word):
        prefix = "##" if start else ""
        for end in range(len(word), start, -1):
            if prefix + word[start:end] in ids:
                break
        else:
            return [ids["[UNK]"]]
        pieces.append(ids[prefix + word[start:end]])
        start = end
    return pieces if len(word) <= 200 else [ids["[UNK]"]]


def reference_ids(words, ids):
    return [piece for word in words for piece in reference_pieces(word, ids)]


ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "ΑΒΓΣΣΣΣςσ'’ʰʼ·\u0345\u0301\xad.:Aa1",
    "İIıßẞﬁK\u212aÅ\u212bſǅǆΌώéèçñöÉÇÑÖ",
    "ae\u302e\u302f\U0001d165\U0001d16d\U0001d16e\u0f3e\u0f3f\u0f39\u0316\u0301\u0327"
    "\u05b0\u05bc\u0651\u064e\u094d\u093c\U00016ff0\u1b44\u0bcd\u09d7\u20dd\u0e31\u0345",
    "\u1100\u1161\u11a8가각\ud7a3\u3131\uffa1",
    "ab\0\x01\x0b\x1c\x85\xad\u200b\u200d\u2060\ufeff\ufffd\ufffe\U000e0001",
    "ab \t\n\r\xa0\u1680\u2000\u2028\u2029\u202f\u3000",
    "中文字\u3400\uf900\ufa0e\U00020000\U0002f800\U0002ceb0\u3007、。",
    "👨\u200d👩❤\ufe0f👍🏽🇩🇪",
    ".,;:!?#$%&'()*+-/<=>@[]^_`{|}~¡¿«»—…′€£™½²°\u037e\u1fef\u2260",
    "\u1e69\u0344\u0f73\u0f75\u0f81\u1fb7\u2adc\u0958s\u0307\u0323c\u0327",
    ["##", "#", "[UNK]", "[CLS]", "[SEP]", "[MASK]", " ", "ab", "##s"],
]


def hostile_text(rng):
    kind = rng.random()
    if kind < 0.1:
        tail = rng.choice(["", "\u0301", "é", " b", "가", "."])
        return rng.choice("abcé가") * rng.choice([99, 150, 199, 200, 201, 260]) + tail
    if kind < 0.3:
        planes = [(0, 0x300), (0, 0xD800), (0xE000, 0x20000), (0xE000, 0x110000)]
        ranges = [rng.choice(planes) for _ in range(rng.randint(1, 40))]
        return "".join(chr(rng.randrange(*ends)) for ends in ranges)
    alphabets = rng.sample(ALPHABETS, rng.randint(1, 4))
    length = rng.randint(150, 260) if kind < 0.35 else rng.randint(1, 40)
    return "".join(rng.choice(rng.choice(alphabets)) for _ in range(length))


@functools.cache
def hostile_texts(count):
    rng = random.Random(20260)
    return [hostile_text(rng) for _ in range(count)]


def spelling_case(count, lowercase, strip_accents):
    """A tokenizer with one token a character, so that nothing hides in [UNK]; truth."""
    words = [
        reference_words(text, lowercase, strip_accents) for text in hostile_texts(count)
    ]
    letters = sorted({letter for row in words for word in row for letter in word})
    tokens = [*SPECIAL_TOKENS, *letters, *(f"##{letter}" for letter in letters)]
    ids = {token: number for number, token in enumerate(tokens)}
    expected = [
        [p for word in row for p in reference_pieces(word, ids)] for row in words
    ]
    return Tokenizer(tokens, lowercase, strip_accents=strip_accents), expected


def differing(found, expected):
    rows = zip(hostile_texts(len(expected)), found, expected, strict=True)
    return [ascii(text) for text, one, other in rows if one != other]


MODES = [(True, True), (False, False), (True, False), (False, True)]


@needs_unicode_14
@pytest.mark.parametrize(("lowercase", "strip_accents"), MODES)
def test_hostile_texts_in_one_batch(lowercase, strip_accents):
    tokenizer, expected = spelling_case(1000, lowercase, strip_accents)

    assert differing(tokenizer.tokenize(hostile_texts(1000)).to_list(), expected) == []


@needs_unicode_14
@pytest.mark.slow
@pytest.mark.parametrize(("lowercase", "strip_accents"), MODES[:2])
def test_hostile_texts_by_every_way_in(lowercase, strip_accents):
    texts = hostile_texts(20_000)
    tokenizer, expected = spelling_case(20_000, lowercase, strip_accents)
    ids, splits = tokenizer.encode_words(texts)
    graph = tf.function(tokenizer.tokenize)
    batches = tf.data.Dataset.from_tensor_slices(texts).batch(7).map(tokenizer.tokenize)
    by_data = [row for batch in batches.take(60) for row in batch.to_list()]
    alone = [tokenizer.tokenize([text]).to_list()[0] for text in texts[:300]]
    placed = tokenizer.tokenize_with_offsets(texts).token_ids

    assert differing(tokenizer.tokenize(texts).to_list(), expected) == []
    assert differing(graph(tf.constant(texts)).to_list(), expected) == []
    assert differing(placed.to_list(), expected) == []
    assert [row.tolist() for row in np.split(ids, splits[1:-1])] == expected
    assert differing(alone, expected[:300]) == []
    assert differing(by_data, expected[: len(by_data)]) == []


@needs_unicode_14
@pytest.mark.real_data
@pytest.mark.parametrize("name", ["uncased", "cased", "chinese"])
def test_hostile_texts_with_published_vocabularies(shared, name):
    path = shared / f"data/vocab/bert-base-{name}-vocab.txt"
    lowercase = name != "cased"
    texts = hostile_texts(3000)
    lines = path.read_bytes().decode().split("\n")
    ids = {token: number for number, token in enumerate(lines)}
    words = [reference_words(text, lowercase, lowercase) for text in texts]
    expected = [
        [p for word in row for p in reference_pieces(word, ids)] for row in words
    ]

    found = Tokenizer(path, lowercase).tokenize(texts).to_list()
    assert differing(found, expected) == []


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["uncased", "cased", "chinese"])
def test_every_code_point_between_two_letters(shared, name):
    tokenizer = Tokenizer(
        shared / f"data/vocab/bert-base-{name}-vocab.txt", name != "cased"
    )
    with np.load(shared / "oracle/tokenizer_codepoints.npz") as oracle:
        code_points = oracle["codepoints"]
        ids, lengths = oracle[f"{name}_ids"], oracle[f"{name}_lengths"]
    found = tokenizer.tokenize([f"a{chr(code)}b" for code in code_points])

    assert len(code_points) == 1_112_064
    np.testing.assert_array_equal(found.row_lengths(), lengths)
    np.testing.assert_array_equal(found.values, ids)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["uncased", "cased", "chinese"])
def test_the_answers_of_the_original_code_to_forty_thousand_texts(shared, name):
    tokenizer = Tokenizer(
        shared / f"data/vocab/bert-base-{name}-vocab.txt", name != "cased"
    )
    with np.load(shared / "oracle/tokenizer_fuzz.npz") as oracle:
        content, sizes = oracle["text_bytes"].tobytes(), oracle["text_lengths"]
        ids, lengths = oracle[f"{name}_ids"], oracle[f"{name}_lengths"]
    ends = np.cumsum(sizes)
    texts = [content[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    found = tokenizer.tokenize([text.decode() for text in texts])

    np.testing.assert_array_equal(found.row_lengths(), lengths)
    np.testing.assert_array_equal(found.values, ids)
    np.testing.assert_array_equal(tokenizer.tokenize(texts).values, ids)
