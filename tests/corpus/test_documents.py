"""kbert/corpus/documents.py"""

import bz2
import gzip
import json
import lzma
import sys
import tracemalloc

import pytest
import zstandard

from kbert.corpus import Document, documents, read_documents
from kbert.errors import ConfigError, DependencyError, InputError

TEXT = "A dull boy.\nHe works.\n\n \t\n\nIt snows.\n"
ROWS = [{"text": "A dull boy.\r\nHe works.\n\n"}, {"text": " \n", "url": 1}]
PACK = {
    ".gz": gzip.compress,
    ".xz": lzma.compress,
    ".bz2": bz2.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}


def write(path, content):
    data = content.encode("utf-8") if isinstance(content, str) else content
    path.write_bytes(PACK.get(path.suffix, bytes)(data))
    return str(path)


@pytest.mark.parametrize("ending", ["", *PACK])
def test_empty_lines_stand_between_the_documents_of_a_text(tmp_path, ending):
    path = write(tmp_path / f"a.txt{ending}", TEXT)

    assert list(read_documents([path])) == [
        Document(path, 1, 1, ("A dull boy.", "He works.")),
        Document(path, 2, 6, ("It snows.",)),
    ]


@pytest.mark.parametrize("ending", ["", *PACK])
def test_a_line_of_jsonl_is_a_document(tmp_path, ending):
    rows = [*ROWS, {"text": "It snows."}]
    path = write(tmp_path / f"a.jsonl{ending}", "\n".join(map(json.dumps, rows)))

    assert list(read_documents([path])) == [
        Document(path, 1, 1, ("A dull boy.", "He works.")),
        Document(path, 2, 3, ("It snows.",)),
    ]


def test_files_follow_one_another_and_number_their_own_documents(tmp_path):
    first = write(tmp_path / "a.txt", "one\n\ntwo")
    second = write(tmp_path / "b.txt", "\nthree")

    found = [
        (one.path, one.number, one.line) for one in read_documents([first, second])
    ]

    assert found == [(first, 1, 1), (first, 2, 3), (second, 1, 2)]


def test_another_key_may_hold_the_text(tmp_path):
    path = write(tmp_path / "a.jsonl", '{"body": "one", "text": "two"}\n')

    (document,) = read_documents([path], text_column="body")

    assert document.paragraphs == ("one",)


def test_memory_does_not_grow_with_the_file(tmp_path):
    path = write(tmp_path / "a.txt.gz", ("word " * 200 + "\n\n") * 20_000)  # 20 MB
    tracemalloc.start()
    count = sum(1 for _ in read_documents([path]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert count == 20_000
    assert peak < 2e6


# === Bad input ===


def fails(path, error=InputError, **options):
    with pytest.raises(error) as caught:
        list(read_documents([path], **options))
    return str(caught.value).replace(str(path), "FILE")


@pytest.mark.parametrize("ending", list(PACK))
def test_a_file_that_is_cut_short_is_named_with_its_line(tmp_path, ending):
    rows = "".join(f"line {n} {n * 7919 % 104729}\n\n" for n in range(80_000))
    path = tmp_path / f"a.txt{ending}"
    write(path, rows)
    path.write_bytes(path.read_bytes()[:-1000])

    assert fails(path).startswith("FILE, line ")


@pytest.mark.parametrize("ending", list(PACK))
def test_a_file_that_is_not_compressed_is_named(tmp_path, ending):
    path = tmp_path / f"a.txt{ending}"
    path.write_text(TEXT)

    assert fails(path).startswith("FILE: cannot be read: ")


def test_frames_of_zstandard_follow_one_another(tmp_path):
    path = tmp_path / "a.txt.zst"
    path.write_bytes(PACK[".zst"](b"one\n") + PACK[".zst"](b"two\n"))

    (document,) = read_documents([path])

    assert document.paragraphs == ("one", "two")


def test_zstandard_is_asked_for_where_it_is_missing(tmp_path, monkeypatch):
    path = write(tmp_path / "a.txt.zst", TEXT)
    monkeypatch.setitem(sys.modules, "zstandard", None)

    assert fails(path, DependencyError) == (
        "FILE: a .zst file needs the package zstandard. "
        "Install it with: pip install 'kbert[zstd]'."
    )


def test_bytes_that_are_not_utf_8_are_named_with_their_line(tmp_path):
    path = write(tmp_path / "a.txt.gz", b"one\n\ntw\xffo\n")

    assert "FILE, line 3: byte 0xff at offset 7 of the file is not UTF-8" in fails(path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('{"body": "one"}', "no key 'text' in the object; expected one of its keys"),
        ('{"text": ["one"]}', "'text' is a list; expected a string"),
        ('{"text": null}', "'text' is null; expected a string or list of strings"),
        ("{", "not JSON at column 2"),
    ],
)
def test_a_row_without_text_is_named(tmp_path, row, message):
    path = write(tmp_path / "a.jsonl", f'{{"text": "one"}}\n{row}\n')

    assert fails(path).startswith(f"FILE, line 2: {message}")


def test_a_document_without_end_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(documents, "MAX_DOCUMENT_CHARACTERS", 1 << 20)
    path = write(tmp_path / "a.txt", "one\n\n" + ("word " * 20 + "\n") * 11_000)

    assert fails(path) == (
        "FILE, line 3: the document that begins here has more than 1 Mi characters; "
        "expected an empty line between documents"
    )


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_file_without_documents_is_an_error(tmp_path, name):
    path = write(tmp_path / name, "" if name == "a.txt" else '{"text": " "}')

    assert fails(path) == "FILE: holds no document. Leave it out, or check what it is."


def test_an_unknown_ending_is_an_error_at_once(tmp_path):
    with pytest.raises(ConfigError, match=r"'\.pdf' does not say.*\.txt, \.jsonl"):
        read_documents([tmp_path / "a.pdf"])


def test_all_paths_are_looked_at_before_the_first_is_read(tmp_path):
    path = write(tmp_path / "a.txt", TEXT)

    with pytest.raises(InputError, match=r"none\.txt: cannot be read: No such file"):
        read_documents([path, tmp_path / "none.txt"])


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "no corpus; expected at least one file, or - for stdin"),
        ("a.txt", "paths='a.txt' is one path; expected a list of paths"),
        (["-", "-"], "- is given more than once. Standard input ends once."),
    ],
)
def test_paths_are_a_list(paths, message):
    with pytest.raises(InputError) as caught:
        read_documents(paths)

    assert str(caught.value) == message
