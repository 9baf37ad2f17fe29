"""A corpus → how often each word stands in it, on all cores and in flat memory."""

import collections
import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

from ..corpus import Document, read_documents
from ..errors import InputError
from ..tokenizer.words import WordCounter
from ..vocabulary import CONTINUATION

MAX_WORDS = 4_000_000  # some 500 MB
_BATCH_CHARACTERS = 2_000_000


@dataclasses.dataclass(frozen=True)
class WordCounts:
    """How often words and characters stand in a corpus, as a tokenizer splits it.

    Args:
        words: count of each distinct word, the most frequent first.
        characters: count of each character.
        continuing: the characters that stand elsewhere than at the start of a word.
        documents: documents read.
        forgotten: rare distinct words that are not in ``words``, because there were
            too many.
    """

    words: Mapping[str, int]
    characters: Mapping[str, int]
    continuing: frozenset[str]
    documents: int
    forgotten: int


def count_words(
    corpus: Iterable[str | os.PathLike[str]],
    *,
    lowercase: bool = True,
    text_column: str = "text",
    max_words: int = MAX_WORDS,
    progress: Callable[[int, int], None] = lambda documents, words: None,
) -> WordCounts:
    """Count the words of a corpus, split exactly as ``Tokenizer`` splits them.

    Whenever there are more than ``max_words`` distinct words, the rarest are forgotten:
    those seen once; the next time, those seen at most twice; and so on. A word's count
    is then too low by at most what it had when it was forgotten. Characters are counted
    exactly.

    Args:
        corpus: files of documents, see ``kbert.corpus.read_documents``.
        lowercase: fold case and strip accents.
        text_column: the key of the text in a .jsonl file.
        max_words: distinct words to hold in memory.
        progress: called now and then with the documents and words read since.

    Returns:
        The counts: the same for the same files, whatever the machine's cores.

    Raises:
        InputError: the corpus cannot be read, or holds no word.
    """
    counter = WordCounter(lowercase=lowercase, strip_accents=lowercase)
    table = _Table(max_words)
    total = 0
    batches = _batches(read_documents(corpus, text_column=text_column))
    for documents, words, times in _counted(counter, batches):
        table.add(words, times)
        total += documents
        progress(documents, sum(times))
    if not table.counts:
        raise InputError("the corpus holds no word", expected="text")
    return table.result(documents=total)


def _batches(documents: Iterable[Document]) -> Iterator[tuple[int, list[str]]]:
    """Documents that begin in each batch, and its paragraphs."""
    begun, size, texts = 0, 0, []
    for document in documents:
        begun += 1
        for paragraph in document.paragraphs:
            texts.append(paragraph)
            size += len(paragraph)
            if size >= _BATCH_CHARACTERS:
                yield begun, texts
                begun, size, texts = 0, 0, []
    yield begun, texts


def _counted(
    counter: WordCounter, batches: Iterable[tuple[int, list[str]]]
) -> Iterator[tuple[int, list[bytes], list[int]]]:
    """The words of each batch, in order; a few batches are counted at once.

    TensorFlow lets go of Python's lock while a graph runs.
    """
    workers = os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        waiting = collections.deque()
        for documents, texts in batches:
            waiting.append((documents, pool.submit(counter.count, texts)))
            if len(waiting) > workers:
                documents, counted = waiting.popleft()
                yield documents, *counted.result()
        for documents, counted in waiting:
            yield documents, *counted.result()


class _Table:
    """The counts so far."""

    def __init__(self, max_words: int) -> None:
        self.counts: dict[bytes, int] = {}
        self._max_words, self._floor, self._forgotten = max_words, 0, 0
        self._characters: collections.Counter[str] = collections.Counter()
        self._continuing: set[str] = set()

    def add(self, words: list[bytes], times: list[int]) -> None:
        counts = self.counts
        for word, count in zip(words, times, strict=True):
            counts[word] = counts.get(word, 0) + count
        while len(counts) > self._max_words:
            self._floor += 1
            rare = [word for word, count in counts.items() if count <= self._floor]
            for word in rare:
                self._add_characters(word.decode("utf-8"), counts.pop(word))
            self._forgotten += len(rare)

    def result(self, *, documents: int) -> WordCounts:
        decoded = ((word.decode("utf-8"), count) for word, count in self.counts.items())
        words = dict(sorted(decoded, key=lambda pair: (-pair[1], pair[0])))
        for word, count in words.items():
            self._add_characters(word, count)
        return WordCounts(
            words=words,
            characters=dict(sorted(self._characters.items())),
            continuing=frozenset(self._continuing),
            documents=documents,
            forgotten=self._forgotten,
        )

    def _add_characters(self, word: str, count: int) -> None:
        for character in word:
            self._characters[character] += count
        self._continuing.update(word[1:])


def pieces_of_characters(counts: WordCounts, minimum: int) -> list[str]:
    """The pieces of one character that the words need, of characters frequent enough.

    First the characters, in Unicode's order; then those that continue a word.
    """
    frequent = sorted(
        one for one, count in counts.characters.items() if count >= minimum
    )
    return frequent + [
        CONTINUATION + one for one in frequent if one in counts.continuing
    ]
