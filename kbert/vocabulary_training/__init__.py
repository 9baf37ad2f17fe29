"""A corpus → the WordPiece vocabulary that suits it."""

import os
from collections.abc import Iterable

from ..vocabulary import Vocabulary
from .counting import WordCounts, count_words
from .learning import character_limit, check_size, learn_vocabulary

__all__ = [
    "WordCounts",
    "build_vocabulary",
    "character_limit",
    "check_size",
    "count_words",
    "learn_vocabulary",
]


def build_vocabulary(
    corpus: Iterable[str | os.PathLike[str]],
    *,
    size: int = 30_000,
    lowercase: bool = True,
    extend: Vocabulary | None = None,
    min_character_count: int | None = None,
    text_column: str = "text",
) -> Vocabulary:
    """Learn the vocabulary of a corpus: ``count_words``, then ``learn_vocabulary``.

    Args:
        corpus: files of documents, see ``kbert.corpus.read_documents``.
        size: tokens, special ones included; fewer if the corpus is too small.
        lowercase: fold case and strip accents, as for the uncased models.
        extend: keep these tokens and their ids, and add to them.
        min_character_count: see ``learn_vocabulary``.
        text_column: the key of the text in a .jsonl file.

    Returns:
        The vocabulary: the same for the same files, whatever the machine's cores.

    Raises:
        InputError: the corpus cannot be read, or holds no word.
        ConfigError: ``size`` is too small; if it has no place for the special tokens
            (or those of ``extend``), this is told before the corpus is read.

    Example:
        >>> from pathlib import Path
        >>> _ = Path("three.txt").write_text("ab ab abc")
        >>> build_vocabulary(["three.txt"], size=11).tokens[5:]
        ('a', 'b', 'c', '##b', '##c', 'ab')
    """
    check_size(size, extend=extend)
    counts = count_words(corpus, lowercase=lowercase, text_column=text_column)
    return learn_vocabulary(
        counts, size=size, extend=extend, min_character_count=min_character_count
    )
