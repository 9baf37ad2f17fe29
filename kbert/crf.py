"""Scores of tags, word by word → how likely a whole sequence is, and the best one."""

from typing import Any

import keras
import numpy as np
from keras import ops

from .errors import ConfigError
from .ops import Tensor
from .ops.backend import kernel

# The score of what is not allowed: so low that no other scores make up for it, and
# finite, so that a difference of two is a number.
_NEVER = -1e30


@keras.saving.register_keras_serializable(package="kbert")
class CRF(keras.layers.Layer):
    """A linear-chain conditional random field on the logits of a tagger.

    The score of a sequence of tags is the sum of its logits, of a transition for each
    two neighbours, of a start and of an end. What ``restrict`` rules out has no
    probability, and is never decoded; it is a weight that is not trained, so that it
    is saved and loaded with the others.

    Args:
        units: C, tags.

    Call:
        logits: float ``[B, W, C]``.
        Returns: the logits as they are, float32: the methods below use them.

    Source:
        Lafferty, McCallum, Pereira 2001 (ICML); start and end scores as in Lample et
        al. 2016, arXiv:1603.01360, section 2.2. Differs: nothing.
    """

    def __init__(self, units: int, **layer_options: Any) -> None:
        super().__init__(**layer_options)
        self.units = units

    def build(self, logits_shape: tuple[int | None, ...]) -> None:
        count, kind = self.units, {"dtype": "float32", "autocast": False}
        self.transitions, self.start, self.end = (
            self.add_weight(shape, name=name, initializer="zeros", **kind)
            for name, shape in (
                ("transitions", (count, count)),  # before, after
                ("start", (count,)),
                ("end", (count,)),
            )
        )
        # 1 is allowed. Row: the tag before, the last one for none; column: after.
        self.allowed = self.add_weight(
            (count + 1, count + 1),
            name="allowed",
            initializer="ones",
            trainable=False,
            **kind,
        )

    def call(self, logits: Tensor) -> Tensor:
        return ops.cast(logits, "float32")

    def restrict(
        self, *, start: np.ndarray, end: np.ndarray, pairs: np.ndarray
    ) -> None:
        """Rule out what is False.

        Args:
            start: bool ``[C]``, tags that may be first.
            end: bool ``[C]``, tags that may be last.
            pairs: bool ``[C, C]``, of two neighbours the first and the second.

        Raises:
            ConfigError: another number of tags.
        """
        shapes = [np.shape(one) for one in (start, end, pairs)]
        count = self.units
        if shapes != [(count,), (count,), (count, count)]:
            raise ConfigError(
                f"rules of shapes {', '.join(map(str, shapes))}",
                expected=f"those of {count} tags",
            )
        allowed = np.ones((count + 1, count + 1), np.float32)
        allowed[:-1, :-1], allowed[-1, :-1], allowed[:-1, -1] = pairs, start, end
        self.allowed.assign(allowed)

    def log_likelihood(self, logits: Tensor, tags: Tensor, mask: Tensor) -> Tensor:
        """The logarithm of the probability of whole sequences of tags.

        Args:
            logits: float ``[B, W, C]``, W at least 1.
            tags: int ``[B, W]``, in [0, C); those that are allowed.
            mask: bool ``[B, W]``, True = word; what is no word stands behind the words
                and counts for nothing, whatever its logits and tags are.

        Returns:
            float32 ``[B]``, at most 0 but for rounding; 0 for no words.
        """
        logits, tags = ops.cast(logits, "float32"), ops.cast(tags, "int32")
        scores = self._scores()
        path = _path_score(logits, tags, mask, scores)
        likelihood = path - _log_of_all(logits, mask, scores)
        return ops.where(mask[:, 0], likelihood, 0.0)

    def decode(self, logits: Tensor, mask: Tensor) -> Tensor:
        """The best sequences of tags (Viterbi).

        Args:
            logits: float ``[B, W, C]``, W at least 1.
            mask: bool ``[B, W]``, True = word; what is no word stands behind the words.

        Returns:
            int32 ``[B, W]``; 0 where there is no word.
        """
        given = ops.cast(logits, "float32"), *self._scores()
        logits, *scores = map(ops.stop_gradient, given)
        tags = _best_path(logits, mask, *scores)
        return ops.where(mask, tags, 0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}

    def _scores(self) -> tuple[Tensor, Tensor, Tensor]:
        """Start, transitions and end, with what is ruled out."""
        allowed = ops.convert_to_tensor(self.allowed) > 0.5
        own = (self.start, self.transitions, self.end)
        start, pairs, end = map(ops.convert_to_tensor, own)
        return (
            ops.where(allowed[-1, :-1], start, _NEVER),
            ops.where(allowed[:-1, :-1], pairs, _NEVER),
            ops.where(allowed[:-1, -1], end, _NEVER),
        )


def _path_score(
    logits: Tensor, tags: Tensor, mask: Tensor, scores: tuple[Tensor, ...]
) -> Tensor:
    """float32 ``[B]``: the score of the given tags."""
    start, pairs, end = scores
    own = ops.take_along_axis(logits, tags[:, :, None], axis=-1)[:, :, 0]
    steps = ops.take(
        ops.reshape(pairs, (-1,)), tags[:, :-1] * pairs.shape[0] + tags[:, 1:]
    )
    count = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
    last = ops.take_along_axis(tags, ops.maximum(count - 1, 0), axis=1)[:, 0]
    return (
        ops.sum(ops.where(mask, own, 0.0), axis=1)
        + ops.sum(ops.where(mask[:, 1:], steps, 0.0), axis=1)
        + ops.take(start, tags[:, 0])
        + ops.take(end, last)
    )


def _log_of_all(logits: Tensor, mask: Tensor, scores: tuple[Tensor, ...]) -> Tensor:
    """float32 ``[B]``: the logarithm of the sum of exp(score) of all sequences.

    Its gradient are the probabilities of the tags and of the pairs, which the backward
    algorithm gives: cheaper than to go back through the loop, which XLA cannot.
    """

    @ops.custom_gradient
    def run(logits: Tensor, *scores: Tensor) -> Tensor:
        # Or TensorFlow, run eagerly, makes ready to go back through the loop.
        logits, *scores = map(ops.stop_gradient, (logits, *scores))
        total, before = _forward(logits, mask, *scores)

        def backward(*upstream: Tensor) -> Tensor:
            (slope,) = keras.tree.flatten(upstream)
            return _slopes(slope, logits, mask, before, total, *scores)

        return total, backward

    return run(logits, *scores)


def _forward_pass(
    logits: Tensor, mask: Tensor, start: Tensor, pairs: Tensor, end: Tensor
) -> tuple[Tensor, Tensor]:
    """The logarithm for whole sequences ``[B]``, and up to each word ``[W, B, C]``."""
    words = _by_word(logits, mask)
    first = start + words[0, :, :-1]

    def step(before: Tensor, word: Tensor) -> tuple[Tensor, Tensor]:
        own, there = _apart(word)
        through = before[:, :, None] + pairs[None]  # [B, C before, C]
        after = ops.where(there, ops.logsumexp(through, axis=1) + own, before)
        return after, before

    last, before = ops.scan(step, first, _after(words))
    return ops.logsumexp(last + end, axis=-1), before


def _slopes_pass(
    slope: Tensor,
    logits: Tensor,
    mask: Tensor,
    before: Tensor,
    total: Tensor,
    start: Tensor,
    pairs: Tensor,
    end: Tensor,
) -> tuple[Tensor, ...]:
    """The gradients for logits, start, pairs and end."""
    words = _by_word(logits, mask)
    final = ops.zeros_like(before[0]) + end

    def step(after: Tensor, word: Tensor) -> tuple[Tensor, Tensor]:
        own, there = _apart(word)
        through = pairs[None] + (own + after)[:, None, :]  # [B, C, C after]
        here = ops.where(there, ops.logsumexp(through, axis=2), after)
        return here, here

    rest = _after(words)
    _, after = ops.scan(step, final, rest, reverse=True)  # [W, B, C]
    weight, is_word, goes_on = slope[:, None], words[..., -1:], rest[..., -1:]
    share = ops.exp(before + after - total[:, None]) * weight * is_word
    behind = ops.concatenate([after[1:], final[None]])
    # Of two neighbours: [W, B, C before, C].
    both = before[..., :, None] + pairs + (rest[..., :-1] + behind)[..., None, :]
    both = ops.exp(both - total[:, None, None]) * weight[..., None] * goes_on[..., None]
    last = is_word * (1.0 - goes_on)
    return (
        ops.transpose(share, (1, 0, 2)),
        ops.sum(share[0], axis=0),
        ops.sum(both, axis=(0, 1)),
        ops.sum(share * last, axis=(0, 1)),
    )


def _best_path_pass(
    logits: Tensor, mask: Tensor, start: Tensor, pairs: Tensor, end: Tensor
) -> Tensor:
    """int32 ``[B, W]``; behind the words, the last one's tag."""
    words = _by_word(logits, mask)
    first = start + words[0, :, :-1]
    stay = ops.zeros_like(first, "int32") + ops.arange(pairs.shape[0], dtype="int32")

    def step(carry: Tensor, word: Tensor) -> tuple[Tensor, Tensor]:
        before, (own, there) = carry[0], _apart(word)
        through = before[:, :, None] + pairs[None]  # [B, C before, C]
        after = ops.where(there, ops.max(through, axis=1) + own, before)
        best = ops.cast(ops.argmax(through, axis=1), "int32")
        carry = after, ops.where(there, best, stay)
        return carry, carry

    # Pointers: [W, B, C].
    (last, _), (_, pointers) = ops.scan(step, (first, stay), _after(words))
    final = ops.cast(ops.argmax(last + end, axis=-1), "int32")

    def back(tag: Tensor, pointer: Tensor) -> tuple[Tensor, Tensor]:
        tag = ops.take_along_axis(pointer, tag[:, None], axis=1)[:, 0]
        return tag, tag

    _, tags = ops.scan(back, final, pointers, reverse=True)
    return ops.transpose(tags)


def _by_word(logits: Tensor, mask: Tensor) -> Tensor:
    """``[W, B, C + 1]``: the logits of each word, and 1 for a word that is there.

    Together, because TensorFlow's ``scan`` over two tensors needs to know W.
    """
    both = ops.concatenate([logits, ops.cast(mask, "float32")[:, :, None]], axis=-1)
    return ops.transpose(both, (1, 0, 2))


def _apart(word: Tensor) -> tuple[Tensor, Tensor]:
    """Logits ``[B, C]``, and bool ``[B, 1]``, whether the word is there."""
    return word[:, :-1], word[:, -1:] > 0


def _after(words: Tensor) -> Tensor:
    """What stands behind each word; behind the last one are zeros, no word.

    So a loop over it runs at least once, which TensorFlow's has to.
    """
    return ops.concatenate([words[1:], ops.zeros_like(words[:1])])


_forward, _slopes = kernel(_forward_pass), kernel(_slopes_pass)
_best_path = kernel(_best_path_pass)
