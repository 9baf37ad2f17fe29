"""Cross-entropy over a whole vocabulary, with whether the guess was right."""

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

    @ops.custom_gradient
    def run(logits: Tensor) -> Tensor:
        loss, normalizer, best = _forward(logits, labels)
        return (loss, best), lambda slope, _: _backward(
            slope, logits, labels, normalizer
        )

    return run(logits)


def _forward_pass(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    wide = ops.cast(logits, "float32")
    highest = ops.max(wide, axis=-1)
    total = ops.sum(ops.exp(wide - highest[:, None]), axis=-1)
    normalizer = highest + ops.log(total)
    own = ops.take_along_axis(wide, labels[:, None], axis=-1)[:, 0]
    return normalizer - own, normalizer, own >= highest


def _backward_pass(
    slope: Tensor, logits: Tensor, labels: Tensor, normalizer: Tensor
) -> Tensor:
    share = ops.exp(ops.cast(logits, "float32") - normalizer[:, None])
    own = ops.arange(logits.shape[-1], dtype="int32")[None, :] == labels[:, None]
    return ops.cast((share - ops.cast(own, "float32")) * slope[:, None], logits.dtype)


_forward, _backward = kernel(_forward_pass), kernel(_backward_pass)
