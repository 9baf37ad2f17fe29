"""kbert/features/layer_choice.py"""

import numpy as np
import pytest

from kbert.errors import ConfigError
from kbert.features.layer_choice import parse_layers


@pytest.mark.parametrize(
    ("choice", "layers"),
    [
        ("-1", (6,)),
        (-1, (6,)),
        (0, (0,)),
        (np.int64(-2), (5,)),
        ("-4:", (3, 4, 5, 6)),
        ("0,-1", (0, 6)),
        ("-1,0", (6, 0)),
        ([-1, 2], (6, 2)),
        ((3,), (3,)),
        (np.array([1, 2]), (1, 2)),
        ("all", (1, 2, 3, 4, 5, 6)),
        ("emb", (0,)),
        ("emb,all", (0, 1, 2, 3, 4, 5, 6)),
        ("emb,-2:", (0, 5, 6)),
        ("2:4", (2, 3)),
        (":2", (0, 1)),
        (":", (0, 1, 2, 3, 4, 5, 6)),
        ("1:6:2", (1, 3, 5)),
        ("::-3", (6, 3, 0)),
        (" 1 , -1 ", (1, 6)),
        ("-7", (0,)),
    ],
)
def test_layers_mean_what_python_makes_of_them(choice, layers):
    assert parse_layers(choice, 6) == layers


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ("7", "no layer 7; expected 0 .* to 6, or -1 .* to -7: .* 6 layers"),
        ("-8", "no layer -8; .* 6 layers"),
        ("-9:", "no layer -9:; .* 6 layers"),
        ([0, 12], "no layer 12; .* 6 layers"),
        ("1,1", "'1,1' names a layer twice"),
        ("6,-1", "'6,-1' names a layer twice"),
        ("all,-1", "'all,-1' names a layer twice"),
        ("3:3", "'3:3' names no layer"),
        ([], r"\[\] names no layer"),
        ("", "'' is not a layer; expected a number, a slice such as -4:, all or emb"),
        ("1,", "'' is not a layer"),
        ("last", "'last' is not a layer"),
        ("1:2:3:4", "'1:2:3:4' is not a layer"),
        ("1:6:0", "'1:6:0' is not a layer"),
        ("1.5", "'1.5' is not a layer"),
        (1.5, "'1.5' is not a layer"),
        (None, "'None' is not a layer"),
        (True, "'True' is not a layer"),
    ],
)
def test_a_choice_that_names_no_layers_says_why(choice, message):
    with pytest.raises(ConfigError, match=message):
        parse_layers(choice, 6)
