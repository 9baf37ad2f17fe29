"""How gradients meet and variables change on each backend; AdamW says by how much."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from ..ops import Tensor


class AdamStep(NamedTuple):
    """The numbers of one step, scalars all: the same for every variable.

    Of a step that is left out, rates and scale are 0.

    Args:
        learning_rate: of the Adam part, bias correction included.
        decay_rate: of the weight decay: learning rate times decay.
        epsilon: added to the root of the velocity, which is not corrected.
        scale: what gradients are multiplied by.
        go: bool, false to leave everything as it is.
    """

    learning_rate: Tensor
    decay_rate: Tensor
    epsilon: Tensor
    scale: Tensor
    go: Tensor


def sum_over_replicas(gradients: Sequence[Tensor]) -> list[Tensor]:
    """Each gradient, dense, summed over the devices of a TensorFlow strategy.

    On JAX the compiler has done it.
    """
    if keras.backend.backend() != "tensorflow":
        return list(gradients)
    import tensorflow as tf

    dense = [tf.convert_to_tensor(gradient) for gradient in gradients]
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return dense
    return list(context.all_reduce(tf.distribute.ReduceOp.SUM, dense))


def squared_norm(gradient: Tensor) -> Tensor:
    """The sum of the squares of all its numbers, in float32."""
    wide = ops.cast(gradient, "float32")
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        # In one pass; as a square and a sum it would write the squares to memory.
        return 2 * tf.nn.l2_loss(wide)
    return ops.sum(ops.square(wide))


def update_each(
    function: Callable[..., None], variables: Sequence[Any], *others: Sequence[Any]
) -> None:
    """Call ``function(variable, other, …)`` for each variable, where it lives.

    Under a TensorFlow strategy a variable has a copy on each device, and changes in
    the context of all of them.
    """
    if keras.backend.backend() != "tensorflow":
        for row in zip(variables, *others, strict=True):
            function(*row)
        return
    import tensorflow as tf

    def everywhere(strategy: Any, rows: list[Any]) -> None:
        for variable, *row in rows:
            strategy.extended.update(variable, function, args=row, group=False)

    values = [getattr(variable, "value", variable) for variable in variables]
    rows = [list(row) for row in zip(values, *others, strict=True)]
    tf.__internal__.distribute.interim.maybe_merge_call(
        everywhere, tf.distribute.get_strategy(), rows
    )


def adam(
    variable: Any,
    momentum: Any,
    velocity: Any,
    gradient: Tensor,
    step: AdamStep,
    *,
    betas: tuple[float, float],
    decayed: bool,
    often_left_out: bool,
) -> None:
    """One step of one variable and of its two moments, in place.

    Args:
        variable, momentum, velocity: that change.
        gradient: of the variable.
        step: its numbers.
        betas: of Adam.
        decayed: whether the variable is.
        often_left_out: whether it saves time not to compute a step that is left out.
    """
    if keras.backend.backend() == "tensorflow":
        _adam_in_place(
            variable,
            momentum,
            velocity,
            gradient,
            step,
            betas=betas,
            decayed=decayed,
            often_left_out=often_left_out,
        )
        return
    gradient = ops.cast(gradient, variable.dtype) * step.scale
    moved = momentum + (gradient - momentum) * (1 - betas[0])
    squared = velocity + (ops.square(gradient) - velocity) * (1 - betas[1])
    change = step.learning_rate * moved / (ops.sqrt(squared) + step.epsilon)
    change = change + step.decay_rate * variable if decayed else change
    news = moved, squared, variable - change
    for own, new in zip((momentum, velocity, variable), news, strict=True):
        own.assign(ops.where(step.go, new, own.value))


def _adam_in_place(
    variable: Any,
    momentum: Any,
    velocity: Any,
    gradient: Tensor,
    step: AdamStep,
    *,
    betas: tuple[float, float],
    decayed: bool,
    often_left_out: bool,
) -> None:
    import tensorflow as tf

    # A step that is left out keeps the moments, too.
    beta_1, beta_2 = (tf.where(step.go, beta, 1.0) for beta in betas)

    def change() -> Tensor:
        if decayed:
            variable.assign(variable * (1 - step.decay_rate))
        # One pass in place; as separate ops it is seven, the half of a small step.
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=momentum.value.handle,
            v=velocity.value.handle,
            beta1_power=0.0,
            beta2_power=0.0,
            lr=step.learning_rate,
            beta1=beta_1,
            beta2=beta_2,
            epsilon=step.epsilon,
            # A scale of 0 makes 0 even of what is not finite.
            grad=tf.math.multiply_no_nan(tf.cast(gradient, variable.dtype), step.scale),
        )
        return tf.constant(True)

    # A branch takes longer to trace than all the rest of an update. It is worth that
    # only where steps are left out all the time.
    if often_left_out:
        tf.cond(step.go, change, lambda: tf.constant(False))
    else:
        change()
