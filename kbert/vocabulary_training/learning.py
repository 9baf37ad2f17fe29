"""Counts of words → the vocabulary whose pieces they are best made of."""

from collections.abc import Iterator, Mapping

import numpy as np
import tensorflow as tf

from ..errors import ConfigError
from ..tokenizer.wordpiece import WordPiece
from ..vocabulary import CONTINUATION, SPECIAL_TOKENS, UNK, Vocabulary
from .counting import WordCounts, pieces_of_characters

RARE = 10_000_000  # a character is rare if it is not one in as many
_MAX_LEARNED = 64  # characters of the words that pieces are learned from
_MAX_OCCURRENCES = 1 << 27  # words that the library is shown, repetitions included
_SURPLUS = 8  # one more piece in as many is learned, then dropped if little used
_CHUNK = 1 << 16


def learn_vocabulary(
    counts: WordCounts,
    *,
    size: int,
    extend: Vocabulary | None = None,
    min_character_count: int | None = None,
) -> Vocabulary:
    """Learn the pieces that the words are best made of.

    In order: the special tokens (or all tokens of ``extend``); every character that is
    not rare, and again with ``##`` if it continues a word, so that no word of such
    characters is [UNK]; pieces learned by merging the most frequent neighbours. An
    eighth more pieces than asked for are learned, and those that words split greedily
    use least are dropped: a merge on the way to a longer one often ends unused.

    Args:
        counts: of the corpus.
        size: tokens in all. There are fewer if the corpus does not hold enough pieces
            that it uses twice.
        extend: keep these tokens and their ids, and add only what they lack.
        min_character_count: a character that stands in the corpus less often gets no
            token; None takes ``character_limit(counts)``.

    Returns:
        The vocabulary; it depends on the arguments alone.

    Raises:
        ConfigError: ``size`` has no place for the special tokens (or those of
            ``extend``) and the characters.

    Source:
        The trainer of Hugging Face tokenizers, ``WordPieceTrainer``.
        Differs: it learns from counts, of words that our tokenizer split; characters
        are chosen by their counts; unused pieces are dropped.
    """
    if min_character_count is None:
        min_character_count = character_limit(counts)
    first = _kept(extend)
    known = set(first)
    single = pieces_of_characters(counts, min_character_count)
    fixed = first + [piece for piece in single if piece not in known]
    _check_room(size, fixed=len(fixed), extend=extend)
    frequent = {piece for piece in single if not piece.startswith(CONTINUATION)}
    words = {
        word: count
        for word, count in counts.words.items()
        if len(word) <= _MAX_LEARNED and frequent.issuperset(word)
    }
    # On the way to old tokens there are as many merges that nobody needs.
    surplus = size if extend else (size - len(fixed)) // _SURPLUS
    tokens = _learn(fixed, words, size=size + surplus)
    while len(tokens) > size:
        half = (len(fixed) + len(tokens)) // 2
        tokens = _most_used(tokens, len(fixed), words, size=max(size, half))
    return Vocabulary.from_tokens(tokens)


def character_limit(counts: WordCounts) -> int:
    """How often a character has to stand in a corpus to get a token of its own.

    Once in ten million characters, blanks not counted; at least once.
    """
    return max(1, sum(counts.characters.values()) // RARE)


def check_size(size: int, *, extend: Vocabulary | None = None) -> None:
    """Refuse what is too small whatever the corpus holds, before it is counted.

    Args:
        size: tokens in all.
        extend: the vocabulary whose tokens are kept; by default the special tokens are.

    Raises:
        ConfigError: ``size`` has no place for the tokens that are kept.
    """
    _check_room(size, fixed=len(_kept(extend)), extend=extend)


def _kept(extend: Vocabulary | None) -> list[str]:
    """The tokens that come first, whatever the corpus holds."""
    return list(extend.tokens if extend else SPECIAL_TOKENS)


def _check_room(size: int, *, fixed: int, extend: Vocabulary | None) -> None:
    if size >= fixed:
        return
    what = f"{len(extend)} tokens to extend" if extend else "the special tokens"
    raise ConfigError(
        f"size={size}",
        expected=f"at least {fixed}, for {what} and the characters of the corpus",
        hint="Give more room with --size (size in Python), or leave out more rare "
        "characters with --min-character-count (min_character_count).",
    )


def _learn(fixed: list[str], words: Mapping[str, int], *, size: int) -> list[str]:
    """``fixed``, then what is learned, at most ``size`` in all.

    To be given all pieces of one character beforehand makes the library deterministic:
    else it numbers them in the order of a hash table, and breaks ties by numbers.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=2,
        special_tokens=fixed,
        continuing_subword_prefix=CONTINUATION,
        show_progress=False,
    )
    learner = Tokenizer(models.WordPiece(unk_token=UNK))
    learner.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    learner.train_from_iterator(_repeated(words), trainer)
    ids = learner.get_vocab()
    return sorted(ids, key=ids.__getitem__)


def _repeated(words: Mapping[str, int]) -> Iterator[str]:
    """Each word as often as it was counted: the library takes no counts.

    Beyond a limit, all counts are divided by one number and rounded.
    """
    divisor = -(-sum(words.values()) // _MAX_OCCURRENCES)
    for word, count in words.items():
        count = (count + divisor // 2) // max(1, divisor)
        while count > 0:
            yield f"{word} " * min(count, 4096)
            count -= 4096


def _most_used(
    tokens: list[str], fixed: int, words: Mapping[str, int], *, size: int
) -> list[str]:
    """The first ``fixed`` tokens, and of the others those that the words use most."""
    look_up = WordPiece(Vocabulary.from_tokens(tokens)).look_up_spelled
    spelled, times = list(words), np.array(list(words.values()))
    uses = np.zeros(len(tokens))
    for start in range(0, len(spelled), _CHUNK):
        with tf.device("CPU:0"):
            ids, splits = look_up(tf.constant(spelled[start : start + _CHUNK]))
        weights = np.repeat(times[start : start + _CHUNK], np.diff(splits))
        uses += np.bincount(ids, weights, minlength=len(tokens))
    order = np.argsort(-uses[fixed:], kind="stable")[: size - fixed]
    return tokens[:fixed] + [tokens[fixed + place] for place in sorted(order)]
