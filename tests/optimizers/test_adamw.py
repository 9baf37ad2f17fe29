"""kbert/optimizers/adamw.py"""

import contextlib

import keras
import numpy as np
import pytest
import tensorflow as tf
from kernels import normal

from kbert import AdamW, ConfigError, LearningRate
from kbert.optimizers import Lamb

SHAPES = {
    "embeddings/token": (5, 3),
    "layer_1/attention/query_key_value/kernel": (3, 4),
    "layer_1/attention/query_key_value/bias": (4,),
    "layer_1/output_layer_norm/gamma": (3,),
    "layer_1/output_layer_norm/beta": (3,),
}
DECAYED = ["embeddings/token", "layer_1/attention/query_key_value/kernel"]
STEPS = 20


def variables(seed=0):
    """Keras variables of these paths, with random values."""
    made = []
    for number, (path, shape) in enumerate(SHAPES.items()):
        *scopes, name = path.split("/")
        with contextlib.ExitStack() as stack:
            for scope in scopes:
                stack.enter_context(keras.name_scope(scope))
            made.append(keras.Variable(normal(*shape, seed=seed + number), name=name))
    assert [one.path for one in made] == list(SHAPES)
    return made


def gradients(step, size=1.0):
    return [
        size * normal(*shape, seed=1000 * step + number)
        for number, shape in enumerate(SHAPES.values())
    ]


def applying(optimizer, own, compiled):
    """A function of the gradients that takes one step."""
    optimizer.build(own)

    def apply(*slopes):
        optimizer.apply(list(slopes), own)

    return tf.function(apply) if compiled else apply


def trained(optimizer, steps=STEPS, size=1.0, compiled=False):
    """The variables after some steps."""
    own = variables()
    apply = applying(optimizer, own, compiled)
    for step in range(steps):
        apply(*map(tf.constant, gradients(step, size)))
    return [one.numpy() for one in own]


def original(rate, *, size=1.0, weight_decay=0.01, clip=1.0, correct=False):
    """google-research/bert optimization.py, in NumPy and float64.

    ``correct`` adds what torch.optim.AdamW has and the original has not.
    """
    values = [one.numpy().astype("float64") for one in variables()]
    moments = [(np.zeros_like(value), np.zeros_like(value)) for value in values]
    for step in range(STEPS):
        slopes = [one.astype("float64") for one in gradients(step, size)]
        norm = np.sqrt(sum(np.sum(slope**2) for slope in slopes))
        for number, path in enumerate(SHAPES):
            slope = slopes[number] * (clip / max(norm, clip) if clip else 1)
            m, v = moments[number]
            m, v = 0.9 * m + 0.1 * slope, 0.999 * v + 0.001 * slope**2
            moments[number] = m, v
            if correct:
                m, v = m / (1 - 0.9 ** (step + 1)), v / (1 - 0.999 ** (step + 1))
            update = m / (np.sqrt(v) + 1e-6)
            if path in DECAYED:
                update = update + weight_decay * values[number]
            values[number] = values[number] - rate(step) * update
    return values


def assert_equal(ours, theirs, atol=1e-6):
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=atol, rtol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("size", [0.01, 3.0])  # of which only the second is clipped
def test_it_is_the_original_s_optimizer(compiled, size):
    def rate(step):
        return 0.1 * step / 5 if step < 5 else 0.1 * (STEPS - step) / (STEPS - 5)

    schedule = LearningRate(0.1, steps=STEPS, warmup_steps=5)
    ours = trained(AdamW(schedule), size=size, compiled=compiled)

    assert_equal(ours, original(rate, size=size), atol=2e-5)


@pytest.mark.parametrize("correct", [False, True])
@pytest.mark.parametrize("clip", [None, 0.5])
@pytest.mark.parametrize("decay", [0.0, 0.2])
def test_every_switch_does_what_it_says(correct, clip, decay):
    optimizer = AdamW(
        0.02, weight_decay=decay, global_clipnorm=clip, bias_correction=correct
    )
    expected = original(
        lambda step: 0.02, weight_decay=decay, clip=clip, correct=correct
    )

    assert_equal(trained(optimizer), expected, atol=2e-5)


# Where an epsilon of 0.01 is added decides much: after one step the root of the
# velocity is 0.03 of the gradient; corrected, it is all of it.
@pytest.mark.oracle
@pytest.mark.parametrize("epsilon", [1e-12, 1e-2])
def test_with_bias_correction_it_is_torch_s(epsilon):
    import torch

    params = {
        path: torch.nn.Parameter(torch.tensor(one.numpy()))
        for path, one in zip(SHAPES, variables(), strict=True)
    }
    free = [params[path] for path in SHAPES if path not in DECAYED]
    optimizer = torch.optim.AdamW(
        [
            {"params": [params[path] for path in DECAYED], "weight_decay": 0.1},
            {"params": free, "weight_decay": 0.0},
        ],
        lr=0.01,
        eps=epsilon,
    )
    for step in range(STEPS):
        for param, slope in zip(params.values(), gradients(step), strict=True):
            param.grad = torch.tensor(slope)
        torch.nn.utils.clip_grad_norm_(list(params.values()), 1.0)
        optimizer.step()
    ours = AdamW(0.01, weight_decay=0.1, bias_correction=True, epsilon=epsilon)

    assert_equal(
        trained(ours), [one.detach().numpy() for one in params.values()], atol=1e-5
    )


# Keras adds epsilon before the correction; a tiny one makes no difference.
def test_with_bias_correction_it_is_keras_own():
    theirs = keras.optimizers.AdamW(
        0.01, weight_decay=0.1, epsilon=1e-12, global_clipnorm=1.0
    )
    theirs.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    ours = AdamW(0.01, weight_decay=0.1, epsilon=1e-12, bias_correction=True)

    assert_equal(trained(ours), trained(theirs))


@pytest.mark.parametrize("make", [AdamW, Lamb])
def test_biases_and_normalisations_do_not_decay(make):
    own = variables()
    before = [one.numpy() for one in own]
    optimizer = make(0.1, weight_decay=0.5)
    optimizer.apply([tf.zeros(shape) for shape in SHAPES.values()], own)

    for path, old, new in zip(SHAPES, before, own, strict=True):
        factor = 1 - 0.1 * 0.5 if path in DECAYED else 1
        np.testing.assert_allclose(new.numpy(), factor * old, rtol=1e-6)


@pytest.mark.parametrize("compiled", [False, True])
def test_four_accumulated_batches_are_one_large_one(compiled):
    large, small = variables(), variables()
    rate = LearningRate(0.05, steps=5, warmup_steps=2)
    whole, parts = AdamW(rate), AdamW(rate, gradient_accumulation_steps=4)
    apply_whole = applying(whole, large, compiled)
    apply_part = applying(parts, small, compiled)
    for step in range(5):
        batches = [gradients(4 * step + number) for number in range(4)]
        means = [np.mean(one, axis=0) for one in zip(*batches, strict=True)]
        apply_whole(*map(tf.constant, means))
        for batch in batches:
            apply_part(*map(tf.constant, batch))

    assert_equal([one.numpy() for one in small], [one.numpy() for one in large], 1e-5)
    assert int(parts.iterations) == int(whole.iterations) == 5


def test_between_accumulated_batches_nothing_changes():
    own = variables()
    before = [one.numpy() for one in own]
    optimizer = AdamW(0.1, gradient_accumulation_steps=3)
    for step in range(2):
        optimizer.apply(gradients(step), own)

    assert_equal([one.numpy() for one in own], before, atol=0)


def counters(optimizer):
    names = ("nonfinite_steps", "nonfinite_step", "nonfinite_tensor")
    return [int(getattr(optimizer, name)) for name in names]


def spoilt(step, number, value):
    slopes = gradients(step)
    slopes[number] = slopes[number].copy()
    slopes[number].flat[-1] = value
    return slopes


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("number", [0, 2, 4])
def test_a_gradient_that_is_not_finite_changes_nothing_but_the_counters(
    compiled, value, number
):
    own, optimizer = variables(), AdamW(0.1)
    apply = applying(optimizer, own, compiled)
    apply(*map(tf.constant, gradients(0)))
    ignored = ("nonfinite", "iteration")
    rest = [one for one in optimizer.variables if not one.name.startswith(ignored)]
    before = [one.numpy() for one in own + rest]
    apply(*map(tf.constant, spoilt(1, number, value)))

    assert counters(optimizer) == [1, 1, number]
    assert int(optimizer.iterations) == 2
    assert_equal([one.numpy() for one in own + rest], before, atol=0)


def test_the_first_place_is_kept_until_it_is_set_back():
    own, optimizer = variables(), AdamW(0.1)
    for step, number in ((0, None), (1, 3), (2, 1)):
        slopes = gradients(step) if number is None else spoilt(step, number, np.nan)
        optimizer.apply(slopes, own)
    assert counters(optimizer) == [2, 1, 3]

    optimizer.nonfinite_step.assign(-1)
    optimizer.apply(spoilt(3, 2, np.inf), own)
    assert counters(optimizer) == [3, 3, 2]


def test_a_gradient_too_large_to_be_squared_is_left_out_and_named():
    own, optimizer = variables(), AdamW(0.1)
    optimizer.apply(spoilt(0, 1, 1e25), own)

    assert counters(optimizer) == [1, 0, 1]


def test_gradients_of_which_only_the_sum_overflows_name_the_largest():
    own, optimizer = variables(), AdamW(0.1)
    slopes = gradients(0)
    for number, size in ((1, 1.3e19), (3, 1.5e19)):
        slopes[number] = np.zeros_like(slopes[number])
        slopes[number].flat[0] = size
    optimizer.apply(slopes, own)

    assert counters(optimizer) == [1, 0, 3]


def test_a_spoilt_batch_spoils_only_the_step_that_it_is_a_part_of():
    own, optimizer = variables(), AdamW(0.1, gradient_accumulation_steps=2)
    clean = variables()
    optimizer.apply(spoilt(0, 2, np.nan), own)
    optimizer.apply(gradients(1), own)
    assert counters(optimizer) == [1, 0, 2]
    assert_equal([one.numpy() for one in own], [one.numpy() for one in clean], atol=0)

    other = AdamW(0.1, gradient_accumulation_steps=2)
    for step in (2, 3):
        optimizer.apply(gradients(step), own)
        other.apply(gradients(step), clean)
    assert_equal([one.numpy() for one in own], [one.numpy() for one in clean], atol=0)


def test_sparse_gradients_are_added_up_row_by_row():
    dense, sparse = variables()[:1], variables()[:1]
    slope = np.zeros((5, 3), "float32")
    slope[1], slope[4] = 3, 2
    AdamW(0.1).apply([tf.constant(slope)], dense)
    rows = tf.constant([[1.0] * 3, [2.0] * 3, [2.0] * 3])
    AdamW(0.1).apply([tf.IndexedSlices(rows, tf.constant([1, 4, 1]), (5, 3))], sparse)

    np.testing.assert_allclose(sparse[0].numpy(), dense[0].numpy(), atol=1e-7)


# Nothing is clipped, so that no variable knows of the others.
@pytest.mark.parametrize("compiled", [False, True])
def test_a_factor_multiplies_the_rate_of_those_whose_path_begins_so(compiled):
    options = {"weight_decay": 0.2, "bias_correction": True, "global_clipnorm": None}
    factors = {"embeddings": 0.0, "layer_1/attention": 0.5, "layer": 7.0}
    ours = trained(AdamW(0.02, rate_factors=factors, **options), compiled=compiled)
    whole, half = (trained(AdamW(rate, **options)) for rate in (0.02, 0.01))
    expected = [variables()[0].numpy(), *half[1:3], *whole[3:]]

    assert_equal(ours, expected, atol=1e-7)


@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf])
def test_a_factor_out_of_its_range_is_refused(value):
    with pytest.raises(ConfigError, match=f"rate_factors of layer_1: {value}; expec"):
        AdamW(rate_factors={"layer_1": value})


@pytest.mark.parametrize("make", [AdamW, Lamb])
def test_its_config_makes_the_same_optimizer(make):
    own = {"bias_correction": True, "rate_factors": {"layer_1": 0.3}}
    options = {} if make is Lamb else own
    optimizer = make(
        LearningRate(0.01, steps=7, warmup_steps=2, decay="cosine"),
        weight_decay=0.3,
        beta_1=0.8,
        beta_2=0.95,
        epsilon=1e-4,
        global_clipnorm=2.0,
        gradient_accumulation_steps=2,
        **options,
    )
    copy = keras.saving.deserialize_keras_object(
        keras.saving.serialize_keras_object(optimizer)
    )

    assert type(copy) is make
    assert copy.get_config() == optimizer.get_config()
    assert_equal(trained(copy, 4), trained(optimizer, 4), atol=0)


@pytest.mark.parametrize("value", [1.0, -0.1, 2.0])
@pytest.mark.parametrize("name", ["beta_1", "beta_2"])
def test_a_beta_out_of_its_range_is_refused(name, value):
    with pytest.raises(ConfigError, match=rf"{name}={value}; expected a number in \[0"):
        AdamW(**{name: value})


# One weight, loss = w·x, so the gradient is x: m = 0.1·2, v = 0.001·4, no correction.
@pytest.mark.parametrize("jit_compile", [False, True])
def test_a_keras_user_compiles_a_model_with_it(jit_compile):
    inputs = keras.Input((1,))
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="ones")
    model = keras.Model(inputs, layer(inputs))
    optimizer = AdamW(0.1, weight_decay=0.0, global_clipnorm=None, epsilon=1e-12)
    model.compile(optimizer, loss=lambda y, guess: guess - y, jit_compile=jit_compile)
    model.fit(np.full((4, 1), 2.0), np.zeros((4, 1)), batch_size=4, verbose=0)
    step = 0.1 * (0.1 * 2) / np.sqrt(0.001 * 4)

    np.testing.assert_allclose(layer.kernel.numpy(), [[1 - step]], rtol=1e-5)
