"""Tokenizer.tokenize_with_offsets: where in the user's text each piece comes from."""

import itertools
import random

import pytest

from kbert import Tokenizer
from kbert.vocabulary import SPECIAL_TOKENS

TOKENS = [*SPECIAL_TOKENS, "un", "##able", "'", "s", "中", "e", "##a", "\u1100", "."]
TOKENS += ["##\u1161", "##\u11a8", "##e", "##\u302e", "##\U0001d165", "σ", "##ς", "##σ"]


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(TOKENS)


def pieces(tokenizer, text):
    placed = tokenizer.tokenize_with_offsets([text])
    rows = (row[0].numpy().tolist() for row in placed)
    return [
        (tokenizer.id_to_token(number), text[start:end])
        for number, start, end in zip(*rows, strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("\u200b ", []),
        ("  Unable's", [("un", "Un"), ("##able", "able"), ("'", "'"), ("s", "s")]),
        ("zz un", [("[UNK]", "zz"), ("un", "un")]),
        ("s" * 201 + " e", [("[UNK]", "s" * 201), ("e", "e")]),
        ("u\u200bn中\0e", [("un", "u\u200bn"), ("中", "中"), ("e", "e")]),
        ("éA e\u0301a", [("e", "é"), ("##a", "A"), ("e", "e"), ("##a", "a")]),
        ("각", [("\u1100", "각"), ("##\u1161", "각"), ("##\u11a8", "각")]),
        ("😀 \ud800 un", [("[UNK]", "😀"), ("[UNK]", "\ud800"), ("un", "un")]),
        ("ΣΣ", [("σ", "Σ"), ("##ς", "Σ")]),
        # The marks change places, so each comes from both.
        (
            "e\u302e\U0001d165e",
            [
                ("e", "e"),
                ("##\U0001d165", "\u302e\U0001d165"),
                ("##\u302e", "\u302e\U0001d165"),
                ("##e", "e"),
            ],
        ),
        (
            "e\U0001d165\u302e",
            [("e", "e"), ("##\U0001d165", "\U0001d165"), ("##\u302e", "\u302e")],
        ),
    ],
)
def test_a_piece_comes_from_these_characters(tokenizer, text, expected):
    assert pieces(tokenizer, text) == expected


def test_offsets_do_not_depend_on_the_other_texts(tokenizer):
    texts = ["e\U0001d165\u302e", "e\u302e\U0001d165e", "un\u0301able", "", "Σ"]
    together = tokenizer.tokenize_with_offsets(texts)
    alone = [tokenizer.tokenize_with_offsets([text]) for text in texts]

    for number, name in itertools.product(range(len(texts)), together._fields):
        row = getattr(together, name)[number].numpy().tolist()
        assert row == getattr(alone[number], name)[0].numpy().tolist()


def test_offsets_are_in_order_in_bounds_and_hold_the_piece():
    letters = "aeσς中.'\u1100\u1161\u11a8\u302e\u302f\U0001d165\U0001d16d"
    tokenizer = Tokenizer([*SPECIAL_TOKENS, *letters, *(f"##{one}" for one in letters)])
    source = letters + "AÉΣ각가\u0301\u0316\u0e31\xad\0 \u3000\u2028z"
    rng = random.Random(5)
    texts = ["".join(rng.choices(source, k=rng.randint(0, 30))) for _ in range(2000)]
    placed = tokenizer.tokenize_with_offsets(texts)
    rows = zip(texts, *(column.to_list() for column in placed), strict=True)
    slices = []
    for text, ids, starts, ends in rows:
        assert starts == sorted(starts)
        assert ends == sorted(ends)
        assert all(
            0 <= start < end <= len(text)
            for start, end in zip(starts, ends, strict=True)
        )
        places = zip(ids, starts, ends, strict=True)
        slices += [(number, text[start:end]) for number, start, end in places]
    folded = tokenizer.decode(tokenizer.tokenize([text for _, text in slices]))
    for (number, text), found in zip(slices, folded, strict=True):
        piece = tokenizer.id_to_token(number).removeprefix("##").replace("ς", "σ")

        assert piece == "[UNK]" or piece in found.replace("ς", "σ"), ascii(text)
