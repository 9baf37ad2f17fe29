"""kbert/vocabulary_training/counting.py, kbert/tokenizer/words.py"""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kbert import Tokenizer
from kbert.errors import InputError
from kbert.tokenizer.words import WordCounter
from kbert.vocabulary import SPECIAL_TOKENS
from kbert.vocabulary_training import count_words, counting

UNCASED = WordCounter(lowercase=True, strip_accents=True)
CASED = WordCounter(lowercase=False, strip_accents=False)


def corpus(tmp_path, text):
    path = tmp_path / "corpus.txt"
    path.write_text(text, "utf-8")
    return [path]


def test_words_are_split_and_folded_as_the_tokenizer_does(tmp_path):
    paths = corpus(tmp_path, "Don't! Café 中国\n\ncafe\u00a0café\n")

    counts = count_words(paths)

    assert dict(counts.words) == {
        **{"cafe": 3, "don": 1, "'": 1, "t": 1, "!": 1, "中": 1, "国": 1}
    }
    assert counts.documents == 2
    assert list(count_words(paths, lowercase=False).words) == [
        *["!", "'", "Café", "Don", "cafe", "café", "t", "中", "国"]
    ]


def test_characters_are_counted_and_those_that_continue_words_known(tmp_path):
    counts = count_words(corpus(tmp_path, "aab ba b-b"))

    assert counts.characters == {"-": 1, "a": 3, "b": 4}
    assert counts.continuing == {"a", "b"}
    assert count_words(corpus(tmp_path, "ab a!")).continuing == {"b"}


texts = st.lists(
    st.one_of(st.text(max_size=30), st.text("aBcé ß!中İΣ-\t\u00a0", max_size=30)),
    max_size=40,
)


@pytest.mark.parametrize("lowercase", [True, False])
@settings(max_examples=8, deadline=None)
@given(texts=texts)
def test_words_are_what_the_tokenizer_looks_up(texts, lowercase):
    """With a token for each word, and for nothing else, it finds just these tokens."""
    words, times = (UNCASED if lowercase else CASED).count(texts)
    tokens = [*SPECIAL_TOKENS, *(word.decode() for word in words)]

    pieces = Tokenizer(tokens, lowercase).tokenize(texts).values.numpy()

    assert np.bincount(pieces, minlength=len(tokens)).tolist() == [0] * 5 + times


def test_counts_do_not_depend_on_cores_or_batches(tmp_path, monkeypatch):
    lines = [
        f"word{n % 97} a{n % 89} a{n * n % 83}\n" * (n % 3 + 1) for n in range(900)
    ]
    paths = corpus(tmp_path, "\n".join(lines))
    whole = count_words(paths)
    for cores, characters in [(1, 1000), (3, 5000)]:
        monkeypatch.setattr(counting, "_BATCH_CHARACTERS", characters)
        monkeypatch.setattr(counting.os, "cpu_count", lambda cores=cores: cores)

        assert count_words(paths) == whole
        assert list(count_words(paths).words) == list(whole.words)


def test_the_rarest_words_are_forgotten_first_but_not_their_characters(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(counting, "_BATCH_CHARACTERS", 1)  # a paragraph
    paths = corpus(tmp_path, "x x x y y z\n\nx q q\n\nq w\n")

    counts = count_words(paths, max_words=2)

    # After the first: x 3, y 2 (z is gone). Then x 4, q 2: nothing above one is rarer
    # than y 2 and q 2, so both go. Then q and w, seen once each, go.
    assert dict(counts.words) == {"x": 4}
    assert counts.forgotten == 5
    assert counts.characters == {"q": 3, "w": 1, "x": 4, "y": 2, "z": 1}


def test_progress_is_told_in_documents_and_words(tmp_path):
    told = []
    count_words(
        corpus(tmp_path, "a b\n\nc!\n"), progress=lambda *step: told.append(step)
    )

    assert [sum(column) for column in zip(*told, strict=True)] == [2, 4]


def test_a_corpus_without_words_is_an_error(tmp_path):
    with pytest.raises(InputError, match="the corpus holds no word; expected text"):
        count_words(corpus(tmp_path, "\u200b\n"))
