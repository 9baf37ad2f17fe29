"""kbert/checkpoints/tensors.py, safetensors_files.py"""

import numpy as np
import pytest

from kbert.checkpoints import huggingface, kerashub, tf1
from kbert.checkpoints.assembly import has_pooler, head_units
from kbert.checkpoints.tensors import kbert_shapes, make_rows, write_rows
from kbert.heads import HEADS
from kbert.model import model_variables

ALL_HEADS = {"masked_lm": 37, "next_sentence": 2, "sequence_classifier": 3, "span": 2}


@pytest.mark.parametrize("pooler", [True, False])
def test_the_table_of_shapes_is_that_of_the_built_model(make_bert, pooler):
    heads = {name: 37 if name == "masked_lm" else 2 for name in HEADS}
    heads = heads if pooler else {"masked_lm": 37, "token_classifier": 5}
    bert = make_bert(heads, pooler=pooler)
    built = {name: tuple(w.shape) for name, w in model_variables(bert).items()}

    assert kbert_shapes(bert.config, heads, pooler=pooler) == built
    assert head_units(bert) == heads
    assert has_pooler(bert) is pooler


@pytest.mark.parametrize(
    ("format", "heads"),
    [(huggingface, ("masked_lm", "next_sentence", "span")), (tf1, (*ALL_HEADS,))],
)
def test_every_tensor_has_a_foreign_name_of_its_own(make_bert, format, heads):
    units = {name: ALL_HEADS[name] for name in heads}
    bert = make_bert(units)
    names = getattr(format, "_NAMES", None) or {**format._ENCODER, **format._HEADS}
    rows = make_rows(
        names, kbert_shapes(bert.config, units, pooler=True), format._layout
    )
    foreign = [name for row in rows for name in row.theirs]

    assert {row.ours for row in rows} == set(model_variables(bert))
    assert len(foreign) == len(set(foreign))


def test_the_tables_of_the_encoder_name_the_same_tensors():
    ours = set(kerashub._NAMES)

    assert set(huggingface._ENCODER) == ours
    assert {name for name in tf1._NAMES if name.split("/")[0] not in HEADS} == ours


def test_query_key_and_value_are_split_in_this_order():
    shapes = {"layer_3/attention/query_key_value/kernel": (2, 6)}
    (row,) = make_rows(huggingface._ENCODER, shapes, huggingface._layout)
    kernel = np.arange(12, dtype="float32").reshape(2, 6)
    tensors = write_rows([row], {row.ours: kernel})

    assert {name: array.tolist() for name, array in tensors.items()} == {
        "encoder.layer.2.attention.self.query.weight": [[0, 6], [1, 7]],
        "encoder.layer.2.attention.self.key.weight": [[2, 8], [3, 9]],
        "encoder.layer.2.attention.self.value.weight": [[4, 10], [5, 11]],
    }
