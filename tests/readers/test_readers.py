"""kbert/readers/__init__.py, items.py, lines.py"""

import gzip
import io
import subprocess
import sys

import pytest

from kbert.errors import ConfigError, InputError
from kbert.readers import Item, ReaderOptions, input_format, read_items


@pytest.fixture
def write(tmp_path):
    def write_file(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write_file


def texts(path, **options):
    return [item.text for item in read_items([path], ReaderOptions(**options))]


def test_lines_end_at_line_feeds_and_nowhere_else(write):
    path = write("a.txt", "\ufeffa\u2028b\x0bc\x85d\r\ne\rf\x00\n\n g ")

    assert texts(path) == ["a\u2028b\x0bc\x85d", "e\rf\x00", "", " g "]


def test_a_byte_order_mark_is_dropped_at_the_start_only(write):
    assert texts(write("a.txt", "\ufeff\ufeffa\n\ufeffb\n")) == ["\ufeffa", "\ufeffb"]


def test_empty_lines_keep_their_row_and_end_their_document(write):
    path = write("a.txt", "a\nb\n\n \nc\n")
    items = list(read_items([path]))

    assert [(one.line, one.document, one.text) for one in items] == [
        (1, 0, "a"),
        (2, 0, "b"),
        (3, 0, ""),
        (4, 0, " "),
        (5, 1, "c"),
    ]


def test_every_file_begins_a_new_document(write):
    first, second = write("a.txt", "a\n\nb"), write("b.conll", "x\n\n-DOCSTART-\n\ny")
    items = list(read_items([first, second]))

    assert [one.document for one in items] == [0, 0, 1, 2, 3]
    assert [one.source for one in items] == [first] * 3 + [second] * 2


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.txt", "lines"),
        ("A.TXT", "lines"),
        ("a.b.iob2.xz", "conll"),
        ("a.bio", "conll"),
        ("a.conll.gz", "conll"),
        ("a.csv", "csv"),
        ("a.tsv.bz2", "tsv"),
        ("a.jsonl", "jsonl"),
        ("-", "lines"),
    ],
)
def test_auto_goes_by_the_ending(name, expected):
    assert input_format(name) == expected


def test_compressed_files_are_read_by_their_inner_ending(write):
    packed = gzip.compress(b"a\nb\n")

    assert texts(write("a.txt.gz", packed)) == ["a", "b"]


def test_standard_input_is_read_as_lines_or_as_asked(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"text": "a"}\n')))
    items = list(read_items(["-"], ReaderOptions(format="jsonl")))

    assert items == [Item(source="-", line=1, document=0, text="a")]


def test_an_unreadable_second_file_is_found_before_the_first_is_read(write, tmp_path):
    with pytest.raises(InputError, match=r"none\.txt: cannot be read: No such file"):
        read_items([write("a.txt", "a"), str(tmp_path / "none.txt")])


def test_a_single_path_is_not_iterated():
    with pytest.raises(InputError, match="'a.txt' is one string"):
        read_items("a.txt")


def test_standard_input_twice_is_refused():
    with pytest.raises(InputError, match="- is given more than once"):
        read_items(["-", "-"])


def test_an_option_that_the_format_cannot_obey_is_an_error(write):
    with pytest.raises(ConfigError, match=r"id_column='n' has no meaning for lines"):
        read_items([write("a.txt", "a")], ReaderOptions(id_column="n"))


def test_a_negative_word_column_is_an_error():
    with pytest.raises(ConfigError, match="word_column=-1; expected 0 or more"):
        ReaderOptions(word_column=-1)


def test_a_file_that_grows_while_it_is_read_is_noticed(write):
    path = write("a.txt", "a\n" * 100_000)
    items = read_items([path])
    next(items)
    with open(path, "ab") as file:
        file.write(b"more\n")
    with pytest.raises(InputError, match=r"a\.txt: changed while it was being read"):
        list(items)


@pytest.mark.parametrize("ending", ["txt", "conll", "csv", "jsonl"])
def test_memory_is_flat_for_any_length(ending, tmp_path):
    line = {"jsonl": '{"text": "some words here"}'}.get(ending, "word O,word")
    blank = "\n" if ending == "conll" else ""
    code = (
        "import sys, tracemalloc\n"
        "from kbert.readers import read_items\n"
        "tracemalloc.start()\n"
        "print(sum(1 for _ in read_items([sys.argv[1]])), end=' ')\n"
        "print(tracemalloc.get_traced_memory()[1])\n"
    )
    peaks = []
    for lines in (1_000, 30_000):
        path = tmp_path / f"{lines}.{ending}"
        path.write_text(f"{line.replace(' O,word', '')}\n{blank}" * lines)
        shown = subprocess.check_output([sys.executable, "-c", code, path], text=True)
        items, peak = map(int, shown.split())
        peaks.append(peak)

    assert items in (29_999, 30_000)
    assert peaks[1] < 1.1 * peaks[0] + 20_000


def test_reading_imports_neither_numpy_nor_tensorflow():
    code = "import sys, kbert.readers; print({'numpy', 'tensorflow'} & {*sys.modules})"
    shown = subprocess.check_output([sys.executable, "-c", code], text=True)

    assert shown.strip() == "set()"
