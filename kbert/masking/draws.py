"""A seed and some numbers → random bits that depend on nothing else.

TensorFlow's own stateless generators take one seed a call; here every row of a batch
has its own, so that a record's bits are the same in whatever batch it comes.
"""

import tensorflow as tf

BITS = 31
_GOLDEN = 0x9E3779B97F4A7C15  # 2^64 divided by the golden ratio


def key(seed: int | tf.Tensor, *numbers: int | tf.Tensor) -> tf.Tensor:
    """A key for ``draws`` from a seed and numbers, each a scalar or of one shape.

    Args:
        seed: any whole number below 2^63.
        *numbers: int64, such as an epoch and the number of a record; their order
            matters.

    Returns:
        uint64, of the shape of the numbers.
    """
    mixed = _mix(_unsigned(seed) + _constant(_GOLDEN))
    for number in numbers:
        mixed = _at(mixed, _unsigned(number))
    return mixed


def draws(keys: tf.Tensor, *shape: int | tf.Tensor) -> tf.Tensor:
    """Independent random numbers for each key.

    Args:
        keys: uint64, of any shape ``[…]``; see ``key``.
        *shape: of the numbers for one key.

    Returns:
        int32 ``[…, *shape]``, uniform on 0 … 2^31 - 1.

    Source:
        Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators",
        SplitMix64. Differs: the key, itself mixed, is the state that a sequence begins
        with, and its numbers are computed all at once.
    """
    count = tf.reduce_prod(tf.cast(tf.stack(shape), tf.int64))
    mixed = _at(keys[..., None], tf.cast(tf.range(count), tf.uint64))
    bits = tf.cast(_shift(mixed, 64 - BITS), tf.int32)
    return tf.reshape(bits, tf.concat([tf.shape(keys), tf.stack(shape)], axis=0))


def permutation(one_key: tf.Tensor, count: int | tf.Tensor) -> tf.Tensor:
    """The numbers 0 … ``count`` - 1 in random order, int32 ``[count]``."""
    return tf.argsort(draws(one_key, count), stable=True)


def fractions(bits: tf.Tensor) -> tf.Tensor:
    """Draws as float64 in [0, 1)."""
    return tf.cast(bits, tf.float64) / 2.0**BITS


def choices(bits: tf.Tensor, count: int) -> tf.Tensor:
    """Draws as int32 in 0 … ``count`` - 1."""
    scaled = tf.cast(bits, tf.int64) * count
    return tf.cast(tf.bitwise.right_shift(scaled, tf.constant(BITS, tf.int64)), "int32")


def _at(state: tf.Tensor, number: tf.Tensor) -> tf.Tensor:
    """Number ``number`` of the sequence that begins with ``state``."""
    return _mix(state + (number + _constant(1)) * _constant(_GOLDEN))


def _mix(bits: tf.Tensor) -> tf.Tensor:
    bits = (bits ^ _shift(bits, 30)) * _constant(0xBF58476D1CE4E5B9)
    bits = (bits ^ _shift(bits, 27)) * _constant(0x94D049BB133111EB)
    return bits ^ _shift(bits, 31)


def _shift(bits: tf.Tensor, places: int) -> tf.Tensor:
    return tf.bitwise.right_shift(bits, _constant(places))


def _constant(value: int) -> tf.Tensor:
    return tf.constant(value, tf.uint64)


def _unsigned(number: int | tf.Tensor) -> tf.Tensor:
    return tf.bitcast(tf.cast(number, tf.int64), tf.uint64)
