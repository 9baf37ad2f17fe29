"""kbert/ops and kbert/optimizers on JAX: the same numbers as on TensorFlow"""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from kernels import normal
from training_in_jax import kernels

from kbert import AdamW, LearningRate
from kbert.ops.dropout import kept

SCRIPT = Path(__file__).parents[1] / "training_in_jax.py"
GIVEN = {
    "seed": np.array([3, 2**31 + 5], "uint32"),
    "mask": np.arange(5)[None] < np.array([[5], [3]]),
    "x": normal(8, 6),
    "residual": normal(8, 6, seed=1),
    "gamma": normal(6, seed=2),
    "beta": normal(6, seed=3),
    "scores": normal(2, 3, 4, 5),
    "wide": normal(8, 12),
    "places": np.ones((2, 4), bool),
    "positions": np.array([[3, 0, 3], [1, 1, 1]], "int32"),
    "labels": np.array([0, 5, 2, 2, 1, 3, 4, 0], "int32"),
    "weight": normal(3, 2),
    "start": normal(2),
    # Five steps of two batches each; the third step is spoilt.
    "weight_slopes": normal(10, 3, 2, seed=4),
    "bias_slopes": normal(10, 2, seed=5),
}
GIVEN["bias_slopes"][5, 1] = np.nan


@pytest.fixture(scope="module")
def in_jax(tmp_path_factory):
    folder = tmp_path_factory.mktemp("jax")
    np.savez(folder / "in.npz", **GIVEN)
    subprocess.run(
        [sys.executable, SCRIPT, folder / "in.npz", folder / "out.npz"],
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
        check=True,
    )
    return np.load(folder / "out.npz")


pytestmark = [pytest.mark.jax, pytest.mark.slow]


def test_the_same_seed_gives_the_same_mask(in_jax):
    np.testing.assert_array_equal(
        in_jax["mask"], kept((40, 50), tf.constant(GIVEN["seed"]), 0.1)
    )


@pytest.mark.parametrize("way", ["eager", "compiled"])
@pytest.mark.parametrize("name", kernels(GIVEN))
def test_kernels_have_the_same_values_and_gradients(in_jax, name, way):
    function, names = kernels(GIVEN)[name]
    inputs = [tf.constant(GIVEN[one]) for one in names]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = keras.tree.flatten(function(*inputs))
        total = tf.add_n([tf.reduce_sum(tf.cos(one)) for one in outputs])
    slopes = tape.gradient(total, inputs)

    np.testing.assert_allclose(in_jax[f"{way}/{name}/value"], total, rtol=1e-5)
    for one, slope in zip(names, slopes, strict=True):
        slope = tf.convert_to_tensor(slope)
        np.testing.assert_allclose(in_jax[f"{way}/{name}/{one}"], slope, atol=2e-5)


def test_adamw_takes_the_same_steps_and_leaves_out_the_same_one(in_jax):
    variables = [
        keras.Variable(GIVEN["weight"], name="kernel"),
        keras.Variable(GIVEN["start"], name="bias"),
    ]
    rate = LearningRate(0.1, steps=5, warmup_steps=2)
    optimizer = AdamW(rate, weight_decay=0.1, gradient_accumulation_steps=2)
    pairs = zip(GIVEN["weight_slopes"], GIVEN["bias_slopes"], strict=True)
    for slopes in pairs:
        optimizer.apply([tf.constant(one) for one in slopes], variables)

    assert in_jax["adamw/counters"].tolist() == [1, 2, 1]
    # 1 - 0.999 has lost three digits in float32 on one of them; five steps of 0.1.
    np.testing.assert_allclose(in_jax["adamw/weight"], variables[0].numpy(), atol=2e-5)
    np.testing.assert_allclose(in_jax["adamw/bias"], variables[1].numpy(), atol=2e-5)
