"""Logits of the words that have pieces → one tag for every word there is."""

import warnings
from collections.abc import Iterator, Sequence

import numpy as np

from ...crf import CRF
from ...errors import InputError, KbertWarning
from ...features.splits import Ints, cumulated
from ...readers import Item
from ...tokenizer import Tokenizer

_BATCH = 64  # sentences that the CRF decodes together
_SHORTEST = 8
# Of a word without pieces: the first label, if need be another one that may follow.
_UNLIKELY = -1e4


def word_logits(
    sentences: Sequence[Item],
    outputs: Sequence[np.ndarray],
    tokenizer: Tokenizer,
    *,
    units: int,
) -> np.ndarray:
    """The logits of all words of all sentences, in order.

    A word of which the tokenizer leaves nothing (control characters, say) gets such as
    make it the first label.

    Args:
        sentences: that the rows are of.
        outputs: float32 ``[W, C]`` of each row, rows in order.
        tokenizer: of the model.
        units: C.

    Returns:
        float32 ``[words, C]``.

    Raises:
        InputError: the outputs are not those of the sentences.

    Warns:
        KbertWarning: how many words have no piece.
    """
    words = [word for item in sentences for word in item.words or ()]
    _, splits = tokenizer.encode_words(words)
    read = np.diff(splits) > 0
    logits = np.full((len(words), units), _UNLIKELY, np.float32)
    logits[:, 0] = 0
    found = np.concatenate([np.zeros((0, units), np.float32), *outputs])
    if len(found) != np.count_nonzero(read):
        raise InputError(
            f"outputs for {len(found)} words",
            expected=f"{np.count_nonzero(read)}, of the rows of all these sentences",
        )
    logits[read] = found
    if not read.all():
        first = words[int(np.argmin(read))]
        warnings.warn(
            f"{np.count_nonzero(~read)} of {len(words)} words are nothing to the "
            f"tokenizer, the first is {first!r}; their tag is not the model's guess.",
            KbertWarning,
            stacklevel=2,
        )
    return logits


def best_tags(
    logits: np.ndarray, lengths: Sequence[int], crf: CRF | None
) -> list[np.ndarray]:
    """The numbers of the tags of each sentence.

    Args:
        logits: float32 ``[words, C]``, of all sentences.
        lengths: words of each.
        crf: finds the best sequence of each sentence; without one, each word has the
            tag of its highest logit.

    Returns:
        int ``[W]`` for each sentence.
    """
    splits = cumulated(lengths)
    if crf is None:
        return np.split(logits.argmax(axis=-1), splits[1:-1])
    tags = np.zeros(len(logits), np.int32)
    for rows, width in _batches(np.diff(splits)):
        mask = np.zeros((_BATCH, width), bool)
        mask[: len(rows)] = np.arange(width) < np.diff(splits)[rows][:, None]
        places = np.minimum(splits[rows][:, None] + np.arange(width), len(logits) - 1)
        block = np.zeros((_BATCH, width, logits.shape[-1]), np.float32)
        block[: len(rows)] = logits[places]
        best = np.asarray(crf.decode(block, mask))[: len(rows)]
        tags[places[mask[: len(rows)]]] = best[mask[: len(rows)]]
    return np.split(tags, splits[1:-1])


def _batches(lengths: Ints) -> Iterator[tuple[Ints, int]]:
    """Sentences of like lengths that have words, in few different widths."""
    order = np.argsort(-lengths, kind="stable")
    order = order[: np.count_nonzero(lengths)]
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        longest = int(lengths[rows[0]])
        yield rows, max(_SHORTEST, 1 << (longest - 1).bit_length())
