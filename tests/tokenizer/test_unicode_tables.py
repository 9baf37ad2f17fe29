"""kbert/tokenizer/unicode_tables.py and unicode_generator.py"""

import unicodedata

import numpy as np
import pytest

from kbert.errors import DependencyError
from kbert.tokenizer import unicode_generator
from kbert.tokenizer.unicode_tables import DATA_FILE


@pytest.mark.slow
@pytest.mark.skipif(
    unicodedata.unidata_version != "14.0.0", reason="needs a Python with Unicode 14.0"
)
def test_the_data_file_is_what_this_python_says():
    fresh = unicode_generator.generate()
    with np.load(DATA_FILE, allow_pickle=False) as frozen:
        assert set(frozen) == set(fresh)
        for name, values in fresh.items():
            np.testing.assert_array_equal(frozen[name], values, err_msg=name)


def test_another_version_of_unicode_is_refused(monkeypatch):
    monkeypatch.setattr(unicodedata, "unidata_version", "15.1.0")

    with pytest.raises(DependencyError, match=r"Unicode 15\.1\.0; expected 14\.0\.0"):
        unicode_generator.generate()


def test_the_data_file_is_small():
    assert DATA_FILE.stat().st_size < 200_000
