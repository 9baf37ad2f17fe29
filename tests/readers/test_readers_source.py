"""kbert/readers/source.py"""

import os

import pytest

from kbert.errors import InputError
from kbert.readers import fingerprint_inputs
from kbert.readers.source import MAX_LINE_BYTES, numbered_lines


def test_line_ends_are_kept_on_request(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a\r\nb\nc\r")

    assert list(numbered_lines(str(path))) == [(1, "a"), (2, "b"), (3, "c\r")]
    assert [line for _, line in numbered_lines(str(path), keep_ends=True)] == [
        "a\r\n",
        "b\n",
        "c\r",
    ]


def test_a_line_of_just_the_limit_is_read(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"a" * (MAX_LINE_BYTES - 1) + b"\nb")

    assert [len(line) for _, line in numbered_lines(str(path))] == [
        MAX_LINE_BYTES - 1,
        1,
    ]


def test_the_fingerprint_of_a_file_is_its_bytes_and_digest(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"abc")

    # SHA-256 of "abc": FIPS 180-2, appendix B.1.
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert fingerprint_inputs([str(path), "-"]) == [
        {"name": "a.txt", "bytes": 3, "sha256": abc},
        {"name": "-", "bytes": None, "sha256": None},
    ]


def test_the_fingerprint_of_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(InputError, match=r"none: cannot be read: No such file"):
        fingerprint_inputs([str(tmp_path / "none")])


def test_the_fingerprint_of_a_name_that_is_not_utf8_is_an_error():
    with pytest.raises(InputError, match=r"caf\\udce9.txt: the name is not UTF-8"):
        fingerprint_inputs([os.fsdecode(b"caf\xe9.txt")])
