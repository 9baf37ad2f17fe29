"""kbert/tasks/rows.py"""

import numpy as np
import pytest

from kbert import Tokenizer, Vocabulary
from kbert.errors import ConfigError
from kbert.tasks import Column
from kbert.tasks.rows import framed

TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghij"]


def ragged(rows):
    splits = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    return Column(np.array([one for row in rows for one in row], np.int32), splits)


def test_a_column_gives_rows_padded_with_zeros():
    column = ragged([[1, 2], [], [3, 4, 5]])

    block = column.padded(np.array([2, -1, 0, 1]), 4)

    assert block.tolist() == [[3, 4, 5, 0], [0] * 4, [1, 2, 0, 0], [0] * 4]
    assert column[2].tolist() == [3, 4, 5]
    assert column.lengths.tolist() == [2, 0, 3]


def test_a_column_of_one_value_a_row_gives_the_values():
    column = Column(np.array([[1, 2], [3, 4]]))

    assert column.padded(np.array([1, -1]), 9).tolist() == [[3, 4], [0, 0]]
    assert len(column) == 2


@pytest.mark.parametrize("max_length", [4, 5, 6, 9, 12, 30])
@pytest.mark.parametrize("paired", [True, False])
def test_rows_are_those_of_the_tokenizer(max_length, paired):
    tokenizer = Tokenizer(Vocabulary.from_tokens(TOKENS))
    first = ["a", "a b c d e f g h i j", "", "a b c", "j i h"]
    second = ["b c d", "c", "a b", "j i h g f e d", "a b c"] if paired else None

    columns, lost = framed(
        *(
            ragged(tokenizer.tokenize(part).to_list())
            for part in (first, second)
            if part
        ),
        vocabulary=tokenizer.vocabulary,
        max_length=max_length,
    )

    expected = tokenizer(first, second, max_length=max_length)
    lengths = expected["padding_mask"].numpy().sum(axis=1)
    for name in ("token_ids", "segment_ids"):
        for row, length in enumerate(lengths):
            assert (
                columns[name][row].tolist()
                == expected[name][row, :length].numpy().tolist()
            )
    whole = tokenizer(first, second)["padding_mask"].numpy().sum(axis=1)
    assert lost.tolist() == (whole - lengths).tolist()


@pytest.mark.parametrize(("paired", "least"), [(False, 3), (True, 4)])
def test_a_row_has_room_for_a_piece(paired, least):
    vocabulary = Vocabulary.from_tokens(TOKENS)
    second = ragged([[8, 9]]) if paired else None
    columns, _ = framed(
        ragged([[6, 7]]), second, vocabulary=vocabulary, max_length=least
    )

    assert columns["token_ids"][0].tolist() == [2, 6, 3, 3][:least]
    for max_length in range(1, least):
        with pytest.raises(
            ConfigError, match=f"^max_length={max_length}; expected {least} or more$"
        ):
            framed(
                ragged([[6, 7]]), second, vocabulary=vocabulary, max_length=max_length
            )
