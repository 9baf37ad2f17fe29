"""kbert/readers/json_file.py"""

import gzip

import pytest

from kbert.errors import InputError
from kbert.readers import source
from kbert.readers.json_file import read_json


def written(tmp_path, content, name="a.json"):
    path = tmp_path / name
    path.write_bytes(content)
    return str(path)


def test_a_file_of_one_long_line_is_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(source, "MAX_LINE_BYTES", 4)
    path = written(tmp_path, '\ufeff{"a": ["中", 1]}'.encode())

    assert read_json(path) == {"a": ["中", 1]}


def test_a_compressed_file_is_unpacked(tmp_path):
    path = written(tmp_path, gzip.compress(b"[1, 2]"), "a.json.gz")

    assert read_json(path) == [1, 2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n"a": 1,\n"b" 2}', "a.json, line 3: not JSON at column 5: Expecting ':'"),
        (b"", "a.json, line 1: not JSON at column 1"),
        (b"[NaN]", "a.json: not accepted: NaN is not a JSON number; expected JSON"),
        (b'{"a": 1, "a": 2}', "the key 'a' stands twice in one object"),
        (b"[" * 100_000, "a.json: nested too deeply"),
        (b'["a",\n"\xff"]', "a.json, line 2: byte 0xff at offset 7 of the file"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(tmp_path, content, message):
    with pytest.raises(InputError, match=r"^") as caught:
        read_json(written(tmp_path, content))

    assert message in str(caught.value)


def test_a_file_that_is_too_long_is_refused(tmp_path, monkeypatch):
    path = written(tmp_path, b"[1]")
    monkeypatch.setattr(source, "MAX_FILE_BYTES", 2)

    with pytest.raises(InputError, match="longer than"):
        read_json(path)


def test_a_folder_and_a_missing_file_are_named(tmp_path):
    with pytest.raises(InputError, match="is a folder; expected a file"):
        read_json(str(tmp_path))
    with pytest.raises(InputError, match=r"no\.json: cannot be read: No such file"):
        read_json(str(tmp_path / "no.json"))
