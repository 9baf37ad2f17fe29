"""kbert/readers/: one clear line for every way a file can be wrong"""

import gzip
import lzma
import os
import sys

import pytest

from kbert.errors import ConfigError, InputError, KbertError
from kbert.readers import ReaderOptions, read_items
from kbert.readers.source import MAX_LINE_BYTES

DEEP = b"[" * 100_000 + b"]" * 100_000
DIGITS = b'{"text": "a", "n": ' + b"1" * 5000 + b"}"
CELLS = b'text\n"' + b"a" * 1000 + b"\n" + b"b" * 70_000_000

# file name, content, options, what the message has to match
CASES = {
    "latin1": (
        "a.txt",
        b"ab\ncaf\xe9\n",
        {},
        r"line 2: byte 0xe9 at offset 6 .*LATIN1",
    ),
    "utf16": ("a.txt", b"\xff\xfea\0", {}, r"line 1: byte 0xff at offset 0 .*UTF-16"),
    "after bom": ("a.txt", b"\xef\xbb\xbfa\xff", {}, r"line 1: byte 0xff at offset 4"),
    "surrogate": ("a.txt", b"\xed\xa0\x80\n", {}, r"byte 0xed at offset 0"),
    "long line": (
        "a.txt",
        b"a\n" + b"b" * (MAX_LINE_BYTES + 1),
        {},
        r"line 2: longer than",
    ),
    "empty file": ("a.txt", b"", {}, r"a\.txt: holds nothing to read as lines"),
    "only bom": ("a.conll", b"\xef\xbb\xbf\n", {}, r"holds nothing to read as conll"),
    "only docstart": (
        "a.bio",
        b"-DOCSTART- O\n\n",
        {},
        r"holds nothing to read as conll",
    ),
    "no ending": ("words", b"a", {}, r"words: the ending '' does not say .*--format"),
    "pdf": ("a.pdf", b"a", {}, r"the ending '\.pdf' does not say"),
    "no such format": (
        "a.txt",
        b"a",
        {"format": "xml"},
        r"format='xml'; expected one of",
    ),
    "torn gzip": (
        "a.txt.gz",
        gzip.compress(b"a" * 99)[:-9],
        {},
        r"a\.txt\.gz: cannot be read",
    ),
    "no gzip": ("a.txt.gz", b"plain", {}, r"cannot be read: Not a gzipped file"),
    "torn xz": (
        "a.txt.xz",
        lzma.compress(b"a" * 99)[:40],
        {},
        r"cannot be read: Compressed",
    ),
    "ragged conll": (
        "a.conll",
        b"EU N O\nsaid V\n",
        {},
        r"line 2: 2 columns .*'said V'; expected 3",
    ),
    "lost word": (
        "a.conll",
        b"EU O\n O\n",
        {},
        r"line 2: 1 columns in 'O'; expected 2",
    ),
    "tab and blank": ("a.conll", b"EU O\nNew\tYork\tO\n", {}, r"line 2: 3 columns"),
    "word column": (
        "a.conll",
        b"EU O\n",
        {"word_column": 1},
        r"word_column=1 .*0 to 0",
    ),
    "ragged csv": ("a.csv", b"text,n\na,1\nb\n", {}, r"line 3: 1 columns; expected 2"),
    "wide csv": ("a.csv", b"text\na,b\n", {}, r"line 2: 2 columns; expected 1"),
    "empty row": ("a.csv", b"text,n\n\na,1\n", {}, r"line 2: 0 columns; expected 2"),
    "open quote": (
        "a.csv",
        b'text\na\n"b\nc\n',
        {},
        r"line 3: a quote that opens here",
    ),
    "quote inside": (
        "a.csv",
        b'text\n"a" b\n',
        {},
        r"line 2: not CSV: ',' expected after",
    ),
    "lone return": ("a.csv", b"text\na\rb\n", {}, r"line 2: a carriage return"),
    "huge cell": (
        "a.csv",
        CELLS.replace(b"b" * 100, b"b" * 99 + b"\n"),
        {},
        r"line 2: a cell",
    ),
    "nul in csv": ("a.csv", b"text\na\0b\n", {}, r"line 2: a NUL"),
    "nul in tsv": ("a.tsv", b"text\na\0b\n", {}, r"line 2: a NUL"),
    "header twice": (
        "a.tsv",
        b"text\ttext\na\tb\n",
        {},
        r"line 1: two columns .*'text'",
    ),
    "header only": ("a.csv", b"text\n", {}, r"holds nothing to read as csv"),
    "which column": ("a.csv", b"a,b\n1,2\n", {}, r"2 columns and none .*'a', 'b'"),
    "no column": (
        "a.csv",
        b"a,b\n1,2\n",
        {"text_column": "c"},
        r"text_column='c': .*'a', 'b'",
    ),
    "no pair": (
        "a.tsv",
        b"text\na\n",
        {"text_pair_column": "q"},
        r"text_pair_column='q'",
    ),
    "no id": (
        "a.tsv",
        b"text\na\n",
        {"id_column": "n"},
        r"id_column='n': no such column",
    ),
    "no label": (
        "a.tsv",
        b"text\tgold\na\t1\n",
        {"label_column": "label"},
        r"label_column='label': no such column; .*'gold'\. Choose with --label-column",
    ),
    "no ending column": (
        "a.tsv",
        b"text\tx\na\t1\n",
        {"ending_columns": ("x", "y")},
        r"ending_columns='y': no such column",
    ),
    "uneven": (
        "a.tsv",
        b"a",
        {"uneven_rows": "skip"},
        r"uneven_rows='skip'; expected one of refuse, cut, join",
    ),
    "narrow row to cut": (
        "a.tsv",
        b"text\tx\na\n",
        {"uneven_rows": "cut"},
        r"line 2: 1 columns; expected 2",
    ),
    "joined too wide": (
        "a.tsv",
        b"text\tx\ty\na\tb\nc\td\te\nf\n",
        {"uneven_rows": "join"},
        r"line 2: 4 columns; expected 3",
    ),
    "joined without end": (
        "a.tsv",
        b"text\tx\n" + b"a\n" * 9999,
        {"uneven_rows": "join"},
        r"line 2: 1 columns; expected 2",
    ),
    "no number": (
        "a.csv",
        b"a,b\n",
        {"header": False, "text_column": "2"},
        r"text_column='2': .*'0', '1'",
    ),
    "which number": ("a.csv", b"a,b\n", {"header": False}, r"2 columns and none"),
    "ragged tsv": (
        "a.tsv",
        b'text\tn\n"a\tb"\tc\n',
        {},
        r"line 2: 3 columns; expected 2",
    ),
    "bad json": (
        "a.jsonl",
        b'{"text": "a"}\n{"text": a}\n',
        {},
        r"line 2: not JSON at column 10",
    ),
    "torn json": ("a.jsonl", b'{"text": "a"', {}, r"line 1: not JSON at column 13"),
    "json array": (
        "a.jsonl",
        b'["a"]\n',
        {},
        r"line 1: holds a list; expected a JSON object",
    ),
    "json string": ("a.jsonl", b'"a"\n', {}, r"line 1: holds a string"),
    "json twice": (
        "a.jsonl",
        b'{"text": "a", "text": "b"}',
        {},
        r"'text' stands twice",
    ),
    "json deep": ("a.jsonl", DEEP, {}, r"line 1: nested too deeply"),
    "json digits": (
        "a.jsonl",
        DIGITS,
        {},
        r"line 1: not accepted: a number of 5000 digits",
    ),
    "json nan": (
        "a.jsonl",
        b'{"text": "a", "n": NaN}',
        {},
        r"NaN is not a JSON number",
    ),
    "json gap": (
        "a.jsonl",
        b'{"text": "a"}\n\n{"text": "b"}\n',
        {},
        r"line 2: empty line",
    ),
    "json number": (
        "a.jsonl",
        b'{"text": 5}',
        {},
        r"'text' is the number 5; expected a string",
    ),
    "json null": ("a.jsonl", b'{"text": null}', {}, r"'text' is null"),
    "json no key": (
        "a.jsonl",
        b'{"title": "a"}',
        {},
        r"line 1: no key called text.*'title'",
    ),
    "json lost key": (
        "a.jsonl",
        b'{"text": "a"}\n{"txt": ""}',
        {},
        r"line 2: no key 'text'",
    ),
    "json half": (
        "a.jsonl",
        b'{"text": "\\ud83d"}',
        {},
        r"\\ud83d, half of a surrogate pair",
    ),
    "json words": (
        "a.jsonl",
        b'{"words": ["a", 1]}',
        {},
        r"words\[1\] is the number 1",
    ),
    "json tags": (
        "a.jsonl",
        b'{"words": ["a"], "tags": []}',
        {},
        r"0 tags for 1 words",
    ),
    "json tag": (
        "a.jsonl",
        b'{"words": ["a"], "tags": [3]}',
        {},
        r"tags\[0\] is the number 3",
    ),
    "json id": (
        "a.jsonl",
        b'{"text": "", "n": true}',
        {"id_column": "n"},
        r"'n' is true",
    ),
    "json label": (
        "a.jsonl",
        b'{"text": "", "label": ["a", null]}',
        {"label_column": "label"},
        r"'label\[1\]' is null; expected a string, a number or a list of them",
    ),
    "json endings": (
        "a.jsonl",
        b'{"text": "", "endings": "a"}',
        {"ending_columns": ("endings",)},
        r"'endings' is a string; expected a list of strings",
    ),
    "json pair": (
        "a.jsonl",
        b'{"words": ["a"], "b": "c"}',
        {"text_pair_column": "b"},
        r"'words' is a list, with a second text in 'b'",
    ),
}


# Wrong before any file is looked at.
OPTION_ALONE = ("no such format", "uneven")


@pytest.mark.parametrize("case", CASES)
def test_bad_input_gives_one_line_with_the_place_and_the_value(case, tmp_path):
    name, content, options, message = CASES[case]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(KbertError, match=message) as caught:
        list(read_items([str(path)], ReaderOptions(**options), check_tags=True))

    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path)) or case in OPTION_ALONE
    assert isinstance(caught.value, InputError | ConfigError)


def test_a_folder_is_no_input(tmp_path):
    with pytest.raises(InputError, match="is a folder; expected a file"):
        read_items([str(tmp_path)], ReaderOptions(format="lines"))


def test_a_name_with_a_nul_is_no_input():
    with pytest.raises(InputError, match="cannot be read: embedded null byte"):
        read_items(["a\0.txt"], ReaderOptions(format="lines"))


def test_a_name_that_is_not_utf8_is_told_before_anything_is_read():
    with pytest.raises(InputError) as caught:
        read_items(["none.txt", os.fsdecode(b"my/caf\xe9.txt")])

    assert str(caught.value) == (
        r"my/caf\udce9.txt: the name is not UTF-8. Rename the file: outputs "
        "name what they were made from."
    )


@pytest.mark.skipif(sys.platform == "darwin", reason="its names are all UTF-8")
def test_the_folder_of_an_input_may_have_a_name_that_is_not_utf8(tmp_path):
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "a.txt").write_text("a")

    (item,) = read_items([str(folder / "a.txt")])

    assert item.text == "a"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_read_permission_is_no_input(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("a")
    path.chmod(0)
    with pytest.raises(InputError, match=r"a\.txt: cannot be read: Permission denied"):
        read_items([str(path)])
