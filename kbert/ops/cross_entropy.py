"""Cross-entropy over a whole vocabulary, with whether the guess was right."""

import keras
from keras import ops

from .backend import Tensor, kernel


def cross_entropy(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """What each row's label costs, and whether it is the row's best guess.

    One pass over the logits forward and one back; no float32 copy of them is made.

    Args:
        logits: float ``[R, V]``.
        labels: int ``[R]``, in [0, V).

    Returns:
        float32 ``[R]``, in nats, with a gradient for ``logits``; and bool ``[R]``.
    """

    labels = ops.cast(labels, "int32")

    @ops.custom_gradient
    def run(logits: Tensor) -> Tensor:
        loss, best, highest, rest = _forward(logits, labels)

        def backward(*upstream: Tensor) -> Tensor:
            # JAX hands over the slopes of both outputs as one tuple.
            slope, _ = keras.tree.flatten(upstream)
            return _backward(slope, logits, labels, highest, rest)

        return (loss, best), backward

    return run(logits)


def _forward_pass(logits: Tensor, labels: Tensor) -> tuple[Tensor, ...]:
    """Loss, whether the guess was right, and the two parts of the log of the sum.

    Their sum would lose the second one's digits where logits are large.
    """
    wide = ops.cast(logits, "float32")
    highest = ops.max(wide, axis=-1)
    rest = ops.log(ops.sum(ops.exp(wide - highest[:, None]), axis=-1))
    own = ops.take_along_axis(wide, labels[:, None], axis=-1)[:, 0]
    return rest + (highest - own), own >= highest, highest, rest


def _backward_pass(
    slope: Tensor, logits: Tensor, labels: Tensor, highest: Tensor, rest: Tensor
) -> Tensor:
    wide = ops.cast(logits, "float32")
    share = ops.exp((wide - highest[:, None]) - rest[:, None])
    own = ops.arange(logits.shape[-1], dtype="int32")[None, :] == labels[:, None]
    return ops.cast((share - ops.cast(own, "float32")) * slope[:, None], logits.dtype)


_forward, _backward = kernel(_forward_pass), kernel(_backward_pass)
