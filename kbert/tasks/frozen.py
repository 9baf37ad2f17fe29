"""A model of a task → one TensorFlow graph whose weights are constants."""

from collections.abc import Mapping

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework import convert_to_constants


class FrozenModel:
    """What a model says, without training it: the same logits, sooner.

    Weights are cast once, not in each batch, and grappler fuses products, biases and
    GELU. It is a copy: it does not see weights that change later.

    Args:
        model: of ``kbert.build_task_model``, on the TensorFlow backend.
    """

    def __init__(self, model: keras.Model) -> None:
        signature = {
            tensor.name: tf.TensorSpec(tensor.shape, tensor.dtype)
            for tensor in model.inputs
        }

        def logits(inputs: Mapping[str, tf.Tensor]) -> list[tf.Tensor]:
            return [*model(inputs, training=False).values()]

        graph = tf.function(logits, input_signature=[signature])
        self._names = [*model.output]
        self._inputs = sorted(signature)  # as a graph takes them
        self._run = convert_to_constants.convert_variables_to_constants_v2(
            graph.get_concrete_function()
        )

    def predict_on_batch(self, x: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The logits of one batch, like the method of ``keras.Model``."""
        outputs = self._run(*(tf.constant(x[name]) for name in self._inputs))
        arrays = (output.numpy() for output in outputs)
        return dict(zip(self._names, arrays, strict=True))
