"""A corpus in which every word stands once, so that a record tells where it is from."""

import dataclasses
from pathlib import Path

import numpy as np

from kbert.vocabulary import SPECIAL_TOKENS, Vocabulary

FIRST_WORD = len(SPECIAL_TOKENS)


@dataclasses.dataclass(frozen=True)
class NumberedCorpus:
    """Documents whose words are numbered through: word n has the id 5 + n.

    Args:
        lengths: words of each sentence of each document.
        path: a text file, a sentence a line.
    """

    lengths: list[list[int]]
    path: Path

    @property
    def words(self) -> int:
        return sum(map(sum, self.lengths))

    @property
    def vocabulary(self) -> Vocabulary:
        words = (f"w{number}" for number in range(self.words))
        return Vocabulary.from_tokens([*SPECIAL_TOKENS, *words])

    @property
    def documents(self) -> np.ndarray:
        """The document of each word."""
        return np.repeat(np.arange(len(self.lengths)), list(map(sum, self.lengths)))

    @property
    def sentence_starts(self) -> set[int]:
        """The first word of each sentence, and the number of all words."""
        flat = [length for document in self.lengths for length in document]
        return {0, *np.cumsum(flat).tolist()}


def numbered_corpus(path: Path, lengths: list[list[int]]) -> NumberedCorpus:
    """Write a corpus of sentences of so many words."""
    text, word = [], 0
    for document in lengths:
        for length in document:
            text.append(" ".join(f"w{n}" for n in range(word, word + length)))
            word += length
        text.append("")
    path.write_text("\n".join(text), "utf-8")
    return NumberedCorpus(lengths, path)
