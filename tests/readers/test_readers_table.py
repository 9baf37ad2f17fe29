"""kbert/readers/table.py"""

import csv
import warnings

import pytest

from kbert.errors import KbertWarning
from kbert.readers import ReaderOptions, read_items


def read(tmp_path, name, content, **options):
    path = tmp_path / name
    path.write_bytes(content.encode())
    return list(read_items([str(path)], ReaderOptions(**options)))


def test_csv_cells_may_hold_commas_quotes_and_line_ends(tmp_path):
    items = read(tmp_path, "a.csv", 'n,text\r\n1,"a,""b""\r\nc"\r\n2,\r\n3, d \n')

    assert [(one.line, one.text) for one in items] == [
        (2, 'a,"b"\r\nc'),
        (4, ""),
        (5, " d "),
    ]


def test_tsv_quotes_are_ordinary_characters(tmp_path):
    items = read(tmp_path, "a.tsv", 'sentence\tlabel\n"a\t1\nb "c"\t\n')

    assert [one.text for one in items] == ['"a', 'b "c"']


def test_columns_are_chosen_by_name(tmp_path):
    content = "\ufeffid,q,a,doc\n7,who,me,x\n8,what,it,x\n,why,so,y\n10,,,x\n"
    columns = {
        "text_column": "q",
        "text_pair_column": "a",
        "id_column": "id",
        "document_column": "doc",
    }
    items = read(tmp_path, "a.csv", content, **columns)

    assert [(one.id, one.text, one.text_pair, one.document) for one in items] == [
        ("7", "who", "me", 0),
        ("8", "what", "it", 0),
        ("", "why", "so", 1),
        ("10", "", "", 2),
    ]


def test_columns_are_numbers_when_there_is_no_header(tmp_path):
    items = read(tmp_path, "a.tsv", "x\ta\ny\tb\n", header=False, text_column="1")

    assert [one.text for one in items] == ["a", "b"]


def test_without_a_document_column_every_row_is_a_document(tmp_path):
    items = read(tmp_path, "a.csv", "text\na\na\n")

    assert [one.document for one in items] == [0, 1]


def test_the_only_column_is_the_text_and_its_empty_lines_are_rows(tmp_path):
    for name in ("a.csv", "a.tsv"):
        with pytest.warns(KbertWarning, match="'title'"):
            items = read(tmp_path, name, "title\na\n\nb\n\n")

        assert [one.text for one in items] == ["a", "", "b", ""]


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_a_first_line_that_may_be_a_text_is_not_dropped_silently(tmp_path, name):
    with pytest.warns(KbertWarning, match=f"{name}: .*'Great film'.*--no-header"):
        items = read(tmp_path, name, "Great film\nBad film\n")

    assert [one.text for one in items] == ["Bad film"]
    with pytest.warns(KbertWarning) as told:
        read(tmp_path, name, f"{'long ' * 1000}\nb\n")
    assert len(str(told[0].message)) < 400


@pytest.mark.parametrize(
    "content, options",
    [
        ("text\na\n", {}),
        ("sentence\na\n", {}),
        ("title\na\n", {"text_column": "title"}),
        ("a\n", {"header": False}),
    ],
)
def test_nothing_is_said_of_a_line_of_names_that_is_known(tmp_path, content, options):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (item,) = read(tmp_path, "a.tsv", content, **options)

    assert item.text == "a"


def test_empty_lines_may_stand_at_the_end_of_a_wider_table(tmp_path):
    assert len(read(tmp_path, "a.csv", "text,n\na,1\n\n\n")) == 1


def test_long_cells_leave_the_limit_of_the_csv_module_alone(tmp_path):
    before = csv.field_size_limit()
    (item,) = read(tmp_path, "a.csv", f"text\n{'a' * 1_000_000}\n")

    assert len(item.text) == 1_000_000
    assert csv.field_size_limit() == before


def test_the_label_is_the_cell_as_it_is(tmp_path):
    items = read(tmp_path, "a.tsv", "text\tgold\na\t 1\nb\t\n", label_column="gold")

    assert [one.label for one in items] == [" 1", ""]


def test_endings_are_cells_in_the_order_of_their_columns(tmp_path):
    content = "text,b,a\nx,2,1\n"
    (item,) = read(tmp_path, "a.csv", content, ending_columns=("a", "b"))

    assert item.endings == ("1", "2")


def test_cells_behind_the_width_of_the_first_row_can_be_cut(tmp_path):
    options = {"header": False, "text_column": "1", "uneven_rows": "cut"}
    items = read(tmp_path, "a.tsv", "1\ta\n2\tb\tlicence\tlink\n\n", **options)

    assert [one.text for one in items] == ["a", "b"]


def test_a_row_that_a_line_end_broke_can_be_joined(tmp_path):
    content = 'id\ttext\tn\n1\t"Was he\n"\t0\n2\tb\n\nc\nd\t1\n3\te\t2\n\n'
    items = read(tmp_path, "a.tsv", content, uneven_rows="join", label_column="n")

    assert [(one.line, one.text, one.label) for one in items] == [
        (2, '"Was he\n"', "0"),
        (4, "b\n\nc\nd", "1"),
        (8, "e", "2"),
    ]


# File, options, rows: as published.
GLUE = {
    "glue/SST-2/dev.tsv": ({}, 872),
    "glue/CoLA/dev.tsv": ({"header": False, "text_column": "3"}, 1043),
    "glue/MRPC/dev.tsv": (
        {"text_column": "#1 String", "text_pair_column": "#2 String"},
        408,
    ),
    "stsbenchmark/sts-test.csv": (
        {
            "format": "tsv",
            "header": False,
            "text_column": "5",
            "text_pair_column": "6",
            "label_column": "4",
            "uneven_rows": "cut",
        },
        1379,
    ),
    "chnsenticorp/dev.tsv": ({"text_column": "text_a"}, 1200),
}


@pytest.mark.real_data
@pytest.mark.parametrize("name", GLUE)
def test_rows_of_a_real_table_equal_the_published_count(name, shared):
    options, rows = GLUE[name]
    items = read_items([str(shared / "data" / name)], ReaderOptions(**options))

    assert sum(1 for _ in items) == rows
