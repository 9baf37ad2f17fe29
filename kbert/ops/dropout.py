"""Dropout whose mask is a hash of place and seed: drawn in passing, never stored."""

import functools
from collections.abc import Callable

from keras import ops

from .backend import Tensor, kernel

_GOLDEN = 0x9E3779B9
_FACTORS = (0x7FEB352D, 0x846CA68B)


def dropout(x: Tensor, seed: Tensor, *, rate: float) -> Tensor:
    """Set a fraction ``rate`` of ``x`` to 0 and scale up the rest, by its inverse.

    Args:
        x: float, any shape of up to 2³² numbers.
        seed: whole numbers ``[2]``, of which 32 bits count; the same seed gives the
            same mask on every backend.
        rate: in [0, 1).

    Source:
        Srivastava et al. 2014, JMLR 15; the hash is ``lowbias32`` of Chris Wellons'
        hash-prospector, keyed before and between its rounds. Differs: bits of a
        counter-based generator would be as good and cost eight times as much.
    """
    return _dropout(rate)(x, seed) if rate else x


def drop(x: Tensor, seed: Tensor, rate: float) -> Tensor:
    """``dropout`` as a piece of a larger kernel."""
    if not rate:
        return x
    zero = ops.zeros((), x.dtype)
    return ops.where(kept(ops.shape(x), seed, rate), x * (1 / (1 - rate)), zero)


def kept(shape: tuple[int, ...], seed: Tensor, rate: float) -> Tensor:
    """Bool of ``shape``: true, with probability ``1 - rate``, where a number stays."""
    first, second = _keys(ops.cast(seed, "uint32"))
    size = functools.reduce(lambda left, right: left * right, shape)
    bits = ops.cast(ops.arange(size, dtype="int32"), "uint32")
    bits = _mixed(bits * _uint32(_GOLDEN) + first, 16, _FACTORS[0])
    bits = _mixed(ops.bitwise_xor(bits, second), 15, _FACTORS[1])
    bits = ops.bitwise_xor(bits, ops.right_shift(bits, _uint32(16)))
    return ops.reshape(bits, shape) >= _uint32(round(rate * 2**32))


def _keys(seed: Tensor) -> tuple[Tensor, Tensor]:
    """Two scalars of which each bit depends on both numbers of the seed.

    Seeds count up from step to step: used as they are, they gave masks of which none
    dropped what the one before had dropped.
    """
    key, keys = _uint32(_GOLDEN), []
    for part in (seed[0], seed[1], seed[0]):
        key = _mixed(ops.bitwise_xor(key, part), 16, _FACTORS[0])
        key = _mixed(key, 15, _FACTORS[1])
        keys.append(ops.bitwise_xor(key, ops.right_shift(key, _uint32(16))))
    return keys[1], keys[2]


def _mixed(bits: Tensor, shift: int, factor: int) -> Tensor:
    shifted = ops.right_shift(bits, _uint32(shift))
    return ops.bitwise_xor(bits, shifted) * _uint32(factor)


def _uint32(value: int) -> Tensor:
    return ops.convert_to_tensor(value, dtype="uint32")


@functools.cache
def _dropout(rate: float) -> Callable[[Tensor, Tensor], Tensor]:
    run = kernel(lambda x, seed: drop(x, seed, rate))

    def dropout(x: Tensor, seed: Tensor) -> Tensor:
        @ops.custom_gradient
        def masked(x: Tensor) -> Tensor:
            return run(x, seed), lambda upstream: run(upstream, seed)

        return masked(x)

    return dropout
