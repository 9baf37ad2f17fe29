"""kbert/vocabulary_training/learning.py"""

import os
import subprocess
import sys

import pytest

import kbert
from kbert import Tokenizer, Vocabulary, build_vocabulary
from kbert.errors import ConfigError
from kbert.vocabulary import SPECIAL_TOKENS
from kbert.vocabulary_training import (
    WordCounts,
    character_limit,
    count_words,
    learn_vocabulary,
    learning,
)


def counts_of(words):
    characters = {}
    for word, count in words.items():
        for one in word:
            characters[one] = characters.get(one, 0) + count
    return WordCounts(
        words=words,
        characters=characters,
        continuing=frozenset("".join(word[1:] for word in words)),
        documents=1,
        forgotten=0,
    )


@pytest.fixture
def english(tmp_path):
    """Words that share stems and endings, in a file of 3000 words."""
    stems = ["walk", "talk", "jump", "play", "work", "look", "help", "turn", "call"]
    endings = ["", "s", "ed", "ing", "er", "ers"]
    words = [stem + ending for stem in stems for ending in endings]
    text = " ".join(words[n * n % 54] + "," * (n % 7 == 0) for n in range(3000))
    path = tmp_path / "english.txt"
    path.write_text(text)
    return path


def test_specials_come_first_then_characters_then_pieces():
    vocabulary = learn_vocabulary(counts_of({"ab": 12, "cab": 5, "dab": 4}), size=99)

    assert vocabulary.tokens[:5] == SPECIAL_TOKENS
    assert vocabulary.tokens[5:11] == ("a", "b", "c", "d", "##a", "##b")
    # Neighbours: a ##b 12 times, ##a ##b 9; then c ##ab 5, d ##ab 4.
    assert vocabulary.tokens[11:] == ("ab", "##ab", "cab", "dab")


def test_there_are_exactly_as_many_tokens_as_asked_for(english):
    for size in (40, 47, 60):
        assert len(build_vocabulary([english], size=size)) == size


def test_a_corpus_that_is_too_small_gives_all_that_it_uses_twice():
    assert learn_vocabulary(counts_of({"ab": 2, "cd": 1}), size=99).tokens[5:] == (
        *("a", "b", "c", "d", "##b", "##d", "ab"),
    )


def test_no_word_of_the_corpus_becomes_unk(english):
    vocabulary = build_vocabulary([english], size=40)
    pieces = Tokenizer(vocabulary).tokenize([english.read_text()])

    assert vocabulary.unk_id not in pieces.values.numpy()


def test_pieces_on_the_way_to_longer_ones_give_way_to_those_that_are_used(monkeypatch):
    monkeypatch.setattr(learning, "_SURPLUS", 1)  # as many again
    # Merges: four make abcde, two xyz, then one xz. Room for four pieces.
    words = {"abcde": 100, "xyz": 50, "xz": 20}
    vocabulary = learn_vocabulary(counts_of(words), size=5 + 8 + 6 + 4)

    assert set(words) < set(vocabulary.tokens)
    assert len(vocabulary) == 23


def test_words_with_a_rare_character_are_left_out_of_learning():
    counts = counts_of({"aa": 20, "aaé": 9})

    assert character_limit(counts) == 1
    assert learn_vocabulary(counts, size=12, min_character_count=10).tokens[5:] == (
        *("a", "##a", "aa"),
    )
    assert {"é", "##é"} <= set(learn_vocabulary(counts, size=12).tokens)


def test_a_character_is_rare_below_one_in_ten_million():
    counts = counts_of({"a": 40_000_000, "b": 4, "c": 3})

    assert character_limit(counts) == 4


def test_counts_are_scaled_where_the_library_would_be_shown_too_many_words(
    monkeypatch,
):
    words = {"aa": 1000, "ab": 600, "bb": 2}
    monkeypatch.setattr(learning, "_MAX_OCCURRENCES", 200)
    shown = " ".join(learning._repeated(words)).split()

    # 1602 words in 200 makes 9: 111.1, 66.7 and 0.2 of them.
    assert {word: shown.count(word) for word in words} == {"aa": 111, "ab": 67, "bb": 0}


def test_a_size_without_room_for_the_characters_is_an_error():
    with pytest.raises(ConfigError) as caught:
        learn_vocabulary(counts_of({"ab": 9}), size=7)

    assert str(caught.value).startswith(
        "size=7; expected at least 8, for the special tokens and the characters of the "
        "corpus. Give more room with --size"
    )


def test_the_bytes_do_not_depend_on_hashes_or_threads(english, tmp_path):
    code = (
        "import sys, kbert\n"
        "kbert.build_vocabulary([sys.argv[1]], size=47).save(sys.argv[2])"
    )
    here = build_vocabulary([english], size=47)
    done = subprocess.run(
        [sys.executable, "-c", code, str(english), str(tmp_path / "vocab.txt")],
        env={**os.environ, "PYTHONHASHSEED": "7", "RAYON_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert Vocabulary.from_file(tmp_path / "vocab.txt") == here


# === Extending ===


def test_old_tokens_keep_their_ids_and_new_ones_follow(english, tmp_path):
    old = build_vocabulary([english], size=50)
    path = tmp_path / "new.txt"
    path.write_text("walking enzyme enzymes, enzymatic Ω " * 50)

    new = build_vocabulary([path], size=60, extend=old)

    assert new.tokens[:50] == old.tokens
    assert {"z", "##z", "ω", "enzyme"} <= set(new.tokens[50:])
    assert len(new) == 60


def test_what_the_old_vocabulary_has_is_not_added_again():
    old = Vocabulary.from_tokens([*SPECIAL_TOKENS, *"abc", "##b", "##c", "ab", "abc"])
    counts = counts_of({"abc": 50, "bc": 9})

    assert learn_vocabulary(counts, size=20, extend=old).tokens == (*old.tokens, "bc")


def test_merges_on_the_way_to_old_tokens_are_not_added():
    old = Vocabulary.from_tokens(
        [*SPECIAL_TOKENS, *"fghij", "##g", "##h", "##i", "##j", "fghij"]
    )
    words = {"fghij": 1000, "gh": 30, "ghi": 20, "ghj": 10}

    new = learn_vocabulary(counts_of(words), size=len(old) + 3, extend=old)

    assert set(new.tokens[len(old) :]) == {"gh", "ghi", "ghj"}


def test_fewer_tokens_than_the_old_ones_are_an_error(english):
    old = build_vocabulary([english], size=50)

    with pytest.raises(ConfigError, match="size=49; expected at least 50, for 50 tok"):
        build_vocabulary([english], size=49, extend=old)


@pytest.mark.parametrize(
    ("old", "message"),
    [
        (None, "size=4; expected at least 5, for the special tokens"),
        ("ab", "size=4; expected at least 7, for 7 tokens to extend"),
    ],
)
def test_a_size_too_small_for_what_is_kept_is_told_before_the_corpus_is_read(
    english, monkeypatch, old, message
):
    monkeypatch.setattr("kbert.vocabulary_training.count_words", None)
    extend = Vocabulary.from_tokens([*SPECIAL_TOKENS, *old]) if old else None

    with pytest.raises(ConfigError, match=message):
        build_vocabulary([english], size=4, extend=extend)


# === Real text ===


@pytest.mark.real_data
@pytest.mark.slow
def test_real_words_take_no_more_pieces_than_with_other_learners(shared):
    """tensorflow_text's learner makes 1.209 pieces a word of it with 7994 tokens."""
    path = shared / "data" / "pretrain_en" / "masc.txt.xz"
    counts = count_words([path], lowercase=False)
    vocabulary = learn_vocabulary(counts, size=8000)
    _, splits = Tokenizer(vocabulary, lowercase=False).encode_words(list(counts.words))
    weights = list(counts.words.values())
    pieces = sum(
        n * weight for n, weight in zip(splits[1:] - splits[:-1], weights, strict=True)
    )

    assert len(vocabulary) == 8000
    assert pieces / sum(weights) < 1.2


def test_the_public_name_is_that_of_the_package():
    assert kbert.build_vocabulary is build_vocabulary
