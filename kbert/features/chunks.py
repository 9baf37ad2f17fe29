"""A stream of items → chunks of bounded size, with their neighbours for context."""

import dataclasses
import itertools
from collections import deque
from collections.abc import Iterable, Iterator

from ..readers import Item
from .units import words_of

ITEMS_PER_CHUNK = 4096
CHARACTERS_PER_CHUNK = 4 << 20  # the tokenizer holds some 100 bytes for each
# A text cut into tokens has about one for every four bytes of UTF-8; a Chinese
# character, which is one, has three.
_BYTES_PER_TOKEN = 4


@dataclasses.dataclass(frozen=True)
class Chunk:
    """Consecutive items.

    Args:
        items: the items, and their neighbours on both sides if a context is wanted.
        targets: which of them the chunk is about.
    """

    items: list[Item]
    targets: range


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChunkLimits:
    """How much goes into a chunk; decides the bytes of an output, so part of a resume.

    Args:
        unit: what gets a row.
        rows: most rows, about; one item always fits.
        context_items: most neighbours on each side, 0 for none.
    """

    unit: str
    rows: int
    context_items: int


def chunks(items: Iterable[Item], limits: ChunkLimits, *, skip: int) -> Iterator[Chunk]:
    """Cut a stream into chunks.

    Where a chunk ends depends on the items since the last end alone, so that a stream
    of which whole chunks are skipped is cut in the same places.

    Args:
        items: in order; documents are consecutive.
        limits: the size of a chunk.
        skip: items at the beginning to use as context only.
    """
    items = iter(items)
    before = deque(itertools.islice(items, skip), maxlen=limits.context_items)
    ahead: deque[Item] = deque()
    while group := _group(ahead, items, limits):
        ahead.extend(itertools.islice(items, limits.context_items - len(ahead)))
        context_before = _same_document(reversed(before), group[0])[::-1]
        context_after = _same_document(ahead, group[-1])
        first = len(context_before)
        yield Chunk(
            [*context_before, *group, *context_after], range(first, first + len(group))
        )
        before.extend(group)


def _group(
    ahead: deque[Item], items: Iterator[Item], limits: ChunkLimits
) -> list[Item]:
    """Take the items of one chunk, first those that were read ahead as context."""
    group: list[Item] = []
    rows = characters = 0
    while (
        len(group) < ITEMS_PER_CHUNK
        and characters < CHARACTERS_PER_CHUNK
        and rows < limits.rows
    ):
        item = ahead.popleft() if ahead else next(items, None)
        if item is None:
            break
        group.append(item)
        rows += estimated_rows(item, limits.unit)
        characters += sum(map(len, _texts(item)))
    return group


def estimated_rows(item: Item, unit: str) -> int:
    """How many rows an item gets: exact for words and sentences, rough for tokens."""
    if unit == "sentence":
        return 1
    if unit == "word":
        return len(words_of(item))
    return sum(len(text.encode()) // _BYTES_PER_TOKEN + 1 for text in _texts(item))


def _texts(item: Item) -> list[str]:
    parts = item.words or (item.text, item.text_pair)
    return [part for part in parts if part is not None]


def _same_document(items: Iterable[Item], item: Item) -> list[Item]:
    return list(itertools.takewhile(lambda one: one.document == item.document, items))
