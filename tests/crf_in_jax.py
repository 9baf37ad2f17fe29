"""Log-likelihoods, their gradients and best tags of a CRF, on JAX; a test runs this.

usage: KERAS_BACKEND=jax crf_in_jax.py IN.npz OUT.npz
"""

import sys

import jax
import keras
import numpy as np

from kbert.crf import CRF

SCORES = ("transitions", "start", "end")


def make_crf(given):
    """A CRF with the scores and the rules of the file."""
    crf = CRF(len(given["start"]), name="crf")
    crf.build((None, None, crf.units))
    for name in SCORES:
        getattr(crf, name).assign(given[name])
    crf.allowed.assign(given["allowed"])
    return crf


def main(in_path, out_path):
    assert keras.backend.backend() == "jax"
    given = dict(np.load(in_path))
    crf, found = make_crf(given), {}

    def total(logits, scores):
        with keras.StatelessScope(
            [(getattr(crf, name), scores[name]) for name in SCORES]
        ):
            each = crf.log_likelihood(logits, given["tags"], given["mask"])
        return keras.ops.sum(each * given["upstream"]), each

    scores = {name: given[name] for name in SCORES}
    slopes = jax.value_and_grad(total, argnums=(0, 1), has_aux=True)
    for way, run in (("eager", slopes), ("compiled", jax.jit(slopes))):
        (_, each), (own, others) = run(given["logits"], scores)
        found |= {f"{way}/value": each, f"{way}/logits": own}
        found |= {f"{way}/{name}": others[name] for name in SCORES}
    found["eager/tags"] = crf.decode(given["logits"], given["mask"])
    found["compiled/tags"] = jax.jit(crf.decode)(given["logits"], given["mask"])
    np.savez(out_path, **found)


if __name__ == "__main__":
    main(*sys.argv[1:])
