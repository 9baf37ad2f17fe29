"""Texts with [MASK] → what a model guesses to stand there, with probabilities."""

import dataclasses
import itertools
import os
from collections.abc import Iterable, Iterator

import numpy as np
from keras import ops

from .bundled import DEFAULT
from .checkpoints import load
from .errors import CheckpointError, ConfigError, InputError
from .model import Bert
from .tokenizer import Tokenizer
from .vocabulary import CONTINUATION, MASK

_BATCH = 16


@dataclasses.dataclass(frozen=True)
class Guess:
    """One token that may stand in the place of a [MASK].

    Args:
        token: of the vocabulary; it continues the word before it if it begins with ##.
        probability: that the model gives it.
        text: the whole text with the token in this place; other masks stay.
    """

    token: str
    probability: float
    text: str


@dataclasses.dataclass(frozen=True)
class FilledText:
    """A text and the guesses for it.

    Args:
        text: as it was given.
        masks: for each [MASK] in turn, the guesses, the likeliest first.
    """

    text: str
    masks: tuple[tuple[Guess, ...], ...]


def fill_mask(
    texts: Iterable[str],
    model: str | os.PathLike[str] | Bert = DEFAULT,
    *,
    top: int = 5,
) -> list[FilledText]:
    """Guess what stands where texts have [MASK].

    Args:
        texts: each with one or more ``[MASK]``, written so.
        model: with the head ``masked_lm``: what ``kbert.load`` takes or gives.
        top: guesses for each mask.

    Returns:
        One for each text. Several masks of a text are guessed apart from each other.

    Raises:
        InputError: a text has no [MASK], or more tokens than the model takes.
        CheckpointError: the model has no such head, or no vocabulary.
        ConfigError: ``top`` is no number of tokens of the vocabulary.

    Example:
        >>> (filled,) = fill_mask(["Paris is the [MASK] of France."])
        >>> filled.masks[0][0].text
        'Paris is the capital of France.'
    """
    return list(filled_masks(texts, model, top=top))


def filled_masks(
    texts: Iterable[str],
    model: str | os.PathLike[str] | Bert = DEFAULT,
    *,
    top: int = 5,
) -> Iterator[FilledText]:
    """As ``fill_mask``, one text after the other, in flat memory."""
    if isinstance(texts, str | bytes):
        raise InputError(
            "texts is one str", expected="a list of str", hint="Put it in a list."
        )
    bert = model if isinstance(model, Bert) else load(model)
    tokenizer = _checked_tokenizer(bert, top)
    numbered = enumerate(texts, 1)
    while batch := list(itertools.islice(numbered, _BATCH)):
        rows = _token_ids(batch, tokenizer, bert.config.max_sequence_length)
        for (_, text), probabilities in zip(batch, _predict(bert, rows), strict=True):
            yield _best(text, probabilities, tokenizer, top)


def _checked_tokenizer(bert: Bert, top: int) -> Tokenizer:
    if "masked_lm" not in bert.heads:
        raise CheckpointError(
            "the model has no head masked_lm to guess tokens with",
            hint="Choose one that was pretrained and not fine-tuned since.",
        )
    if bert.tokenizer is None:
        raise CheckpointError(
            "the model has no vocabulary", hint="Put its vocab.txt into its folder."
        )
    size = len(bert.tokenizer.vocabulary)
    if type(top) is not int or not 1 <= top <= size:
        raise ConfigError(
            f"top={top!r}", expected=f"1 to {size}, the tokens of the vocabulary"
        )
    return bert.tokenizer


def _token_ids(
    texts: list[tuple[int, str]], tokenizer: Tokenizer, longest: int
) -> list[list[int]]:
    """The tokens of numbered texts; what stands around a mask is tokenized alone."""
    parts = [_parts(number, text) for number, text in texts]
    pieces = iter(tokenizer.tokenize(list(itertools.chain(*parts))).to_list())
    vocabulary = tokenizer.vocabulary
    rows = []
    for (number, _), own in zip(texts, parts, strict=True):
        row = [vocabulary.cls_id, *next(pieces)]
        for _ in own[1:]:
            row += [vocabulary.mask_id, *next(pieces)]
        row.append(vocabulary.sep_id)
        if len(row) > longest:
            raise InputError(
                f"text {number} has {len(row)} tokens",
                expected=f"at most {longest}, which the model takes",
            )
        rows.append(row)
    return rows


def _parts(number: int, text: str) -> list[str]:
    if not isinstance(text, str):
        raise InputError(f"text {number} is {text!r:.50}", expected="a str")
    if MASK not in text:
        raise InputError(
            f"text {number} has no {MASK}: {text!r:.60}",
            hint=f"Write {MASK} where a word is to be guessed.",
        )
    return text.split(MASK)


def _predict(bert: Bert, rows: list[list[int]]) -> Iterator[np.ndarray]:
    """float64 ``[masks, V]`` for each row: the probability of each token."""
    vocabulary = bert.tokenizer.vocabulary
    token_ids = np.full((len(rows), max(map(len, rows))), vocabulary.pad_id, np.int32)
    padding_mask = np.zeros(token_ids.shape, bool)
    for number, row in enumerate(rows):
        token_ids[number, : len(row)] = row
        padding_mask[number, : len(row)] = True
    inputs = {
        "token_ids": token_ids,
        "segment_ids": np.zeros_like(token_ids),
        "padding_mask": padding_mask,
    }
    vectors = bert.encoder(inputs, training=False)["sequence_output"]
    for vector, ids in zip(vectors, token_ids, strict=True):
        (places,) = np.nonzero(ids == vocabulary.mask_id)
        logits = bert.heads["masked_lm"](ops.take(vector, places, axis=0))
        scores = ops.convert_to_numpy(logits).astype(np.float64)
        scores = np.exp(scores - scores.max(axis=1, keepdims=True))
        yield scores / scores.sum(axis=1, keepdims=True)


def _best(
    text: str, probabilities: np.ndarray, tokenizer: Tokenizer, top: int
) -> FilledText:
    # Rows of the embedding beyond the vocabulary have no name to be guessed by.
    named = probabilities[:, : len(tokenizer.vocabulary)]
    best = np.argsort(-named, axis=1, kind="stable")[:, :top]
    masks = []
    for mask, token_ids in enumerate(best):
        guesses = []
        for token_id in token_ids:
            token = tokenizer.id_to_token(int(token_id))
            filled = _filled(text, mask, token)
            guesses.append(Guess(token, float(named[mask, token_id]), filled))
        masks.append(tuple(guesses))
    return FilledText(text, tuple(masks))


def _filled(text: str, mask: int, token: str) -> str:
    """The text with its ``mask``-th [MASK], from 0, replaced."""
    parts = text.split(MASK)
    before, after = MASK.join(parts[: mask + 1]), MASK.join(parts[mask + 1 :])
    if token.startswith(CONTINUATION) and token != CONTINUATION:
        before, token = before.rstrip(), token.removeprefix(CONTINUATION)
    return f"{before}{token}{after}"
