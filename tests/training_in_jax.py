"""Training kernels, dropout masks and AdamW on JAX; tests run this file.

usage: KERAS_BACKEND=jax training_in_jax.py IN.npz OUT.npz
"""

import sys

import keras
import numpy as np

from kbert import AdamW, LearningRate
from kbert import ops as fast
from kbert.ops.dropout import kept

HOW = {"rate": 0.25, "epsilon": 1e-12}


def kernels(given):
    """By name: a function, and the names of its arguments in the file."""
    seed, mask = given["seed"], given["mask"]
    heads = {"parts": ("query", "key", "value"), "num_heads": 2, "training": True}
    return {
        "gelu": (lambda x: fast.gelu(x, approximate=False, training=True), ["x"]),
        "gelu_tanh": (lambda x: fast.gelu(x, approximate=True, training=True), ["x"]),
        "dropout": (lambda x: fast.dropout(x, seed, rate=0.25), ["x"]),
        "add_and_normalize": (
            lambda *inputs: fast.add_and_normalize(*inputs, seed, **HOW),
            ["x", "residual", "gamma", "beta"],
        ),
        "attention_dropout": (
            lambda scores: fast.attention_dropout(scores, mask, seed, rate=0.25),
            ["scores"],
        ),
        "split_heads": (
            lambda wide: fast.split_heads(wide, given["places"], **heads),
            ["wide"],
        ),
        "gather_rows": (
            lambda x: fast.gather_rows(x, given["positions"], given["places"]),
            ["x"],
        ),
        "cross_entropy": (
            lambda x: fast.cross_entropy(x, given["labels"])[0],
            ["x"],
        ),
    }


def values_and_gradients(given, way):
    """Sums of cosines of the outputs, and their gradients."""
    import jax

    for name, (function, names) in kernels(given).items():

        def total(*inputs, function=function):
            outputs = keras.tree.flatten(function(*inputs))
            return sum(keras.ops.sum(keras.ops.cos(one)) for one in outputs)

        places = tuple(range(len(names)))
        run = way(jax.value_and_grad(total, argnums=places))
        value, slopes = run(*(jax.numpy.asarray(given[one]) for one in names))
        yield f"{name}/value", value
        for one, slope in zip(names, slopes, strict=True):
            yield f"{name}/{one}", slope


def trained(given):
    """A weight and a bias after steps of AdamW, in a compiled function."""
    import jax

    variables = [
        keras.Variable(given["weight"], name="kernel"),
        keras.Variable(given["start"], name="bias"),
    ]
    rate = LearningRate(0.1, steps=5, warmup_steps=2)
    optimizer = AdamW(rate, weight_decay=0.1, gradient_accumulation_steps=2)
    optimizer.build(variables)

    @jax.jit
    def step(values, own, slopes):
        return optimizer.stateless_apply(own, slopes, values)

    values = [one.value for one in variables]
    own = [one.value for one in optimizer.variables]
    for weight, bias in zip(given["weight_slopes"], given["bias_slopes"], strict=True):
        values, own = step(values, own, [weight, bias])
    for variable, value in zip(optimizer.variables, own, strict=True):
        variable.assign(value)
    counters = ("nonfinite_steps", "nonfinite_step", "nonfinite_tensor")
    return {
        "adamw/weight": values[0],
        "adamw/bias": values[1],
        "adamw/counters": [int(getattr(optimizer, name)) for name in counters],
    }


def main(in_path, out_path):
    import jax

    assert keras.backend.backend() == "jax"
    given = dict(np.load(in_path))
    results = {"mask": kept((40, 50), given["seed"], 0.1), **trained(given)}
    for prefix, way in (("eager", lambda function: function), ("compiled", jax.jit)):
        found = values_and_gradients(given, way)
        results |= {f"{prefix}/{name}": value for name, value in found}
    np.savez(out_path, **{name: np.asarray(one) for name, one in results.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
