"""The encoder of a config and weights, on JAX → its outputs; a test runs this file.

usage: KERAS_BACKEND=jax encoder_in_jax.py CONFIG.json IN.npz OUT.npz
IN holds the weights by path, and the inputs.
"""

import json
import sys

import jax
import keras
import numpy as np

from kbert.config import BertConfig
from kbert.encoder import INPUTS, build_encoder


def main(config_path, in_path, out_path):
    assert keras.backend.backend() == "jax"
    with open(config_path, encoding="utf-8") as file:
        encoder = build_encoder(BertConfig.from_dict(json.load(file)))
    arrays = np.load(in_path)
    for weight in encoder.weights:
        weight.assign(arrays[weight.path])
    inputs = {name: arrays[name] for name in INPUTS}

    def hidden_states(inputs):
        outputs = encoder(inputs)
        return [outputs["pooled_output"], *outputs["hidden_states"]]

    np.savez(
        out_path,
        eager=keras.ops.stack(hidden_states(inputs)[1:]),
        compiled=keras.ops.stack(jax.jit(hidden_states)(inputs)[1:]),
        predicted=np.stack(encoder.predict(inputs, verbose=0)["hidden_states"]),
        pooled=hidden_states(inputs)[0],
    )


main(*sys.argv[1:])
