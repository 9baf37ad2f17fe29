"""The paragraphs of a block's documents → its tokens, documents in random order."""

import random
from collections.abc import Iterator, Sequence

import numpy as np

from ..corpus import split_sentences
from ..tokenizer import Tokenizer
from ..tokenizer.inputs import to_tensor
from .blocks import Block, ranges, token_dtype

_BATCH_CHARACTERS = 1 << 20  # the tokenizer takes some 100 bytes for each


def tokenize_block(
    documents: Sequence[Sequence[str]],
    tokenizer: Tokenizer,
    *,
    already_split: bool,
    seed: str,
) -> Block:
    """Tokenize documents.

    Args:
        documents: the paragraphs of each.
        tokenizer: for the sentences.
        already_split: whether each paragraph is a sentence.
        seed: decides the order of the documents.
    """
    split = list if already_split else split_sentences
    sentences = [split(paragraphs) for paragraphs in documents]
    counts = np.array([len(one) for one in sentences], np.int64)
    flat = [sentence for one in sentences for sentence in one]
    tokens, lengths = _tokenize(flat, tokenizer)
    owners = np.repeat(np.arange(len(counts)), counts)[lengths > 0]
    kept = lengths[lengths > 0]
    counts = np.bincount(owners, minlength=len(documents))
    block = Block(
        _splits(counts),
        _splits(np.bincount(owners, kept, len(documents)).astype(np.int64)),
        kept.astype("<i4"),
        tokens.astype(token_dtype(len(tokenizer.vocabulary))),
        empty_documents=int((counts == 0).sum()),
        unknown_tokens=int((tokens == tokenizer.vocabulary.unk_id).sum()),
    )
    return _reordered(block, _order(counts, seed))


def _tokenize(
    sentences: list[str], tokenizer: Tokenizer
) -> tuple[np.ndarray, np.ndarray]:
    """int32 tokens of all sentences, int64 how many each has."""
    tokens, lengths = [np.zeros(0, np.int32)], [np.zeros(0, np.int64)]
    for batch in _batches(sentences):
        pieces = tokenizer.tokenize(to_tensor(batch))
        tokens.append(pieces.values.numpy())
        lengths.append(np.diff(pieces.row_splits.numpy()))
    return np.concatenate(tokens), np.concatenate(lengths)


def _batches(sentences: list[str]) -> Iterator[list[str]]:
    begin = size = 0
    for number, sentence in enumerate(sentences, 1):
        size += len(sentence)
        if size >= _BATCH_CHARACTERS or number == len(sentences):
            yield sentences[begin:number]
            begin, size = number, 0


def _order(counts: np.ndarray, seed: str) -> np.ndarray:
    """The documents that are not empty, in random order."""
    draw = random.Random(seed).random
    keys = np.array([draw() for _ in counts])
    order = np.argsort(keys, kind="stable")
    return order[counts[order] > 0]


def _reordered(block: Block, order: np.ndarray) -> Block:
    sentences, tokens = block.document_sentences, block.document_tokens
    sentence_counts, token_counts = np.diff(sentences)[order], np.diff(tokens)[order]
    return Block(
        _splits(sentence_counts),
        _splits(token_counts),
        block.sentence_lengths[ranges(sentences[order], sentence_counts)],
        block.tokens[ranges(tokens[order], token_counts)],
        block.empty_documents,
        block.unknown_tokens,
    )


def _splits(counts: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(counts)]).astype("<i8")
