"""kbert/tokenizer/normalization.py: the original's rules, by hand."""

import functools

import pytest

from kbert import Tokenizer
from kbert.vocabulary import SPECIAL_TOKENS

ALPHABET = (
    "abcdeikmsABCEßıÉéÅςσαΑΣǆ\u0307\u00b2ﬁ\u212a'.,!#$=;[]`|~_·’中文豈각"
    "\u1100\u1161\u11a8\u302e\U0001d165\U0001d16d"
)


@functools.cache
def tokenizer(lowercase, strip_accents=None):
    letters = sorted(set(ALPHABET))
    tokens = [*SPECIAL_TOKENS, *letters, *(f"##{letter}" for letter in letters)]
    return Tokenizer(tokens, lowercase, strip_accents=strip_accents)


def words(text, lowercase=True, strip_accents=None):
    """One piece a character, so that decoding shows the normalised words."""
    chosen = tokenizer(lowercase, strip_accents)
    return chosen.decode(chosen.tokenize([text]))[0].split(" ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ab cd", ["ab", "cd"]),
        ("  ab\tcd\nab\rcd  ", ["ab", "cd", "ab", "cd"]),
        ("ab\xa0cd\u3000ab\u1680cd", ["ab", "cd", "ab", "cd"]),
        ("ab\u2028cd\u2029ab", ["ab", "cd", "ab"]),
        ("", [""]),
        ("\u200b", [""]),
    ],
)
def test_text_is_split_at_every_kind_of_blank(text, expected):
    assert words(text) == expected


@pytest.mark.parametrize(
    "control",
    [
        "\0",
        "\ufffd",
        "\x01",
        "\x0b",
        "\x0c",
        "\x1c",
        "\x85",
        "\xad",
        "\u200d",
        "\ufeff",
    ],
)
def test_control_and_format_characters_vanish_and_join_their_neighbours(control):
    assert words(f"{control}a{control}b {control} c{control}") == ["ab", "c"]


def test_ideographs_stand_alone_but_other_east_asian_letters_do_not():
    assert words("ab中文cd") == ["ab", "中", "文", "cd"]
    assert words("a가b") == ["a가b".replace("가", "\u1100\u1161")]


def test_an_ideograph_is_set_apart_before_it_is_decomposed():
    assert words("a\uf900b") == ["a", "豈", "b"]  # U+F900 becomes U+8C48


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b,c!", ["a", ".", "b", ",", "c", "!"]),
        ("a$b=c|d~_", ["a", "$", "b", "=", "c", "|", "d", "~", "_"]),
        ("a’b·c", ["a", "’", "b", "·", "c"]),
        ("##a [MASK]", ["#", "#", "a", "[", "mask", "]"]),
        ("a\u00b2b", ["a\u00b2b"]),
    ],
)
def test_ascii_symbols_and_unicode_punctuation_stand_alone(text, expected):
    assert words(text) == expected


def test_a_decomposition_may_turn_out_to_be_punctuation():
    assert words("a\u037eb\u1fefc\u2260d") == ["a", ";", "b", "`", "c", "=", "d"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ABÉé", "abee"),
        ("e\u0301\u0316", "e"),
        ("ß", "ß"),
        ("İıI", "iıi"),
        ("\u212a\u212b", "ka"),
        ("ﬁ", "ﬁ"),
        ("각", "\u1100\u1161\u11a8"),
        ("ǅ", "ǆ"),
    ],
)
def test_lower_casing_strips_accents_and_nothing_else(text, expected):
    assert words(text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ΣΑΣ", ["σας"]),
        ("Σ", ["σ"]),
        ("ΑΣΑ", ["ασα"]),
        ("ΑΣ ΣΑ", ["ας", "σα"]),
        ("ΑΣ'Α", ["ασ", "'", "α"]),  # an apostrophe is ignorable: Σ is not last
        ("ΑΣ'", ["ας", "'"]),
        ("ΑΣ,Α", ["ας", ",", "α"]),  # a comma is not: Σ is last
        ("Α'Σ", ["α", "'", "ς"]),
        ("'Σ", ["'", "σ"]),
        ("Α\u0301Σ\u0301", ["ας"]),
        ("Α\xadΣ", ["ας"]),
        ("ΑΣ中", ["ας", "中"]),
        ("中Σ", ["中", "σ"]),
        ("ΑΣΣ", ["ασς"]),
    ],
)
def test_sigma_is_final_after_a_cased_letter_and_before_none(text, expected):
    assert words(text) == expected


def test_marks_that_stay_are_put_in_canonical_order():
    # Combining classes: U+302E 224, U+1D165 216, U+1D16D 226.
    assert words("a\u302e\U0001d165") == ["a\U0001d165\u302e"]
    assert words("a\U0001d16d\u302e\U0001d165") == ["a\U0001d165\u302e\U0001d16d"]
    assert words("a\u302e\U0001d165 b\u302e\U0001d165") == [
        "a\U0001d165\u302e",
        "b\U0001d165\u302e",
    ]


def test_a_deleted_accent_of_class_zero_still_keeps_two_runs_apart():
    assert words("a\u302e\u0e31\U0001d165") == ["a\u302e\U0001d165"]
    assert words("a\u302e\u0316\U0001d165") == ["a\U0001d165\u302e"]


def test_marks_keep_their_order_where_nothing_is_decomposed():
    assert words("a\u302e\U0001d165", False) == ["a\u302e\U0001d165"]
    assert words("a\u302e\U0001d165", True, False) == ["a\u302e\U0001d165"]


def test_the_cased_model_changes_no_letter():
    assert words("ABCÉéΣ\u212aﬁ", False) == ["ABCÉéΣ\u212aﬁ"]


def test_folding_case_and_stripping_accents_are_apart_when_asked():
    assert words("AÉé", True, False) == ["aéé"]
    assert words("İ", True, False) == ["i\u0307"]
    assert words("AÉé각", False, True) == ["AEe\u1100\u1161\u11a8"]
