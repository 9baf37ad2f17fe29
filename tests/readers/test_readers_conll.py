"""kbert/readers/conll.py"""

import pytest

from kbert.errors import ConfigError, InputError
from kbert.readers import ReaderOptions, conll, read_items

CONLL = ReaderOptions(format="conll")


def read(tmp_path, content, **options):
    path = tmp_path / "a.conll"
    path.write_bytes(content.encode())
    return list(read_items([str(path)], ReaderOptions(**options)))


def test_sentences_documents_and_tags_are_kept(tmp_path):
    items = read(
        tmp_path,
        "-DOCSTART- -X- O O\n\nEU NNP B-NP B-ORG\nsaid  VBD\u0020B-VP   O \n\n\n"
        "Nice NNP B-NP B-LOC\n-DOCSTART- O\n-DOCSTART-\n. . O O",
    )

    assert [(one.line, one.document, one.words, one.tags) for one in items] == [
        (3, 0, ("EU", "said"), ("B-ORG", "O")),
        (7, 0, ("Nice",), ("B-LOC",)),
        (10, 1, (".",), ("O",)),
    ]


def test_one_column_has_no_tags(tmp_path):
    assert [(one.words, one.tags) for one in read(tmp_path, "a\r\nb\r\n\r\nc")] == [
        (("a", "b"), None),
        (("c",), None),
    ]


def test_the_word_may_stand_in_another_column(tmp_path):
    (item,) = read(tmp_path, "1\tEU\tO\n2\tsaid\tO\n", word_column=1)

    assert item.words == ("EU", "said")


def test_the_tags_may_stand_in_another_column(tmp_path):
    (item,) = read(tmp_path, "EU NNP O\nsaid VBD O\n", tag_column=1)

    assert (item.words, item.tags) == (("EU", "said"), ("NNP", "VBD"))
    (item,) = read(tmp_path, "NNP EU\nVBD said\n", tag_column=0, word_column=1)
    assert (item.words, item.tags) == (("EU", "said"), ("NNP", "VBD"))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"tag_column": 2},
            "tag_column=2 in a file of 2 columns; expected 0 to 1, ano",
        ),
        ({"tag_column": 0}, "word_column=0 in a file of 2 columns; expected 0 to 1, a"),
        ({"tag_column": 0, "word_column": 2}, "word_column=2 in a file of 2 columns"),
        ({"tag_column": -1}, "tag_column=-1; expected 0 or more"),
    ],
)
def test_columns_that_cannot_be_are_refused(tmp_path, columns, message):
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, "EU O\n", **columns)


# Whatever a word is made of, it is one word of its sentence.
HOSTILE = [
    "\u00a0",
    "\u3000",
    "\u2028",
    "\u2029",
    "\x85",
    "\x0b\x0c",
    "\x1c\x1d\x1e",
    "\x00\x01",
    "\r",
    "\u200b",
    "\ufeff",
    "e\u0301",
    "a\u00a0b",
    "👩‍👩‍👧‍👦",
    "x" * 5000,
    "\ue000\U0010ffff",
    '"',
    "#",
]


@pytest.mark.parametrize("gap", ["\t", " "], ids=["tab", "blank"])
def test_hostile_words_come_out_as_they_went_in(tmp_path, gap):
    lines = "".join(f"{word}{gap}O\n" for word in HOSTILE)
    items = read(tmp_path, f"{lines}\n{lines}")

    assert [one.words for one in items] == [tuple(HOSTILE)] * 2


def test_with_tabs_a_word_may_hold_blanks_or_nothing(tmp_path):
    (item,) = read(tmp_path, "New York\tB-LOC\n \tO\n\tO\n in \tO \n")

    assert item.words == ("New York", " ", "", " in ")
    assert item.tags == ("B-LOC", "O", "O", "O")


def test_a_line_of_blanks_and_tabs_ends_a_sentence(tmp_path):
    items = read(tmp_path, "a\tO\n\t\nb\tO\n \t \nc\tO\n")

    assert [one.words for one in items] == [("a",), ("b",), ("c",)]


def test_a_file_without_empty_lines_is_refused_before_memory_ends(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(conll, "MAX_WORDS", 3)
    with pytest.raises(InputError, match="line 5: more than 3 words since line 2"):
        read(tmp_path, "\na\nb\nc\nd\n")


@pytest.mark.parametrize(
    ("content", "count"),
    [
        ("\n-DOCSTART- -X- O\n\nEU  NNP B-ORG \n", 3),
        ("New York\tB-LOC\nsaid\n", 2),
        ("EU", 1),
        ("\n-DOCSTART- -X-\n", None),
    ],
)
def test_columns_are_those_of_the_first_word(tmp_path, content, count):
    (tmp_path / "a.conll").write_text(content)

    assert conll.count_columns(str(tmp_path / "a.conll")) == count


@pytest.mark.parametrize(
    ("path", "format", "options", "columns"),
    [
        (
            *(
                "eng.train",
                "auto",
                {"text_column": "1", "label_column": 3, "crf": True},
            ),
            {"word_column": 1, "tag_column": 3, "crf": True},
        ),
        ("a.jsonl", "conll", {"label_column": "0"}, {"tag_column": 0}),
        ("a.conll", "auto", {"text_column": None}, {"text_column": None}),
        ("a.jsonl.gz", "auto", {"label_column": "1"}, {"label_column": "1"}),
        ("a.data", "jsonl", {"text_column": "1"}, {"text_column": "1"}),
        ("a.txt", "lines", {"text_column": "1"}, {"text_column": "1"}),
    ],
)
def test_columns_may_be_numbered_by_the_names_that_tables_have(
    path, format, options, columns
):
    assert conll.numbered_columns(path, options, format=format) == columns


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"text_column": "0", "word_column": 2},
            "text_column='0' and word_column=2; expected one of them: both number the ",
        ),
        ({"label_column": "1", "tag_column": 1}, "label_column='1' and tag_column=1"),
        (
            {"text_column": "words"},
            "text_column='words'; expected the number of a column, from 0, as conll",
        ),
        ({"label_column": "-1"}, "label_column='-1'; expected the number of a column"),
    ],
)
def test_a_column_has_a_number_and_only_one(options, message):
    with pytest.raises(ConfigError, match=f"a.conll: {message}"):
        conll.numbered_columns("a.conll", options)


# Sentences, tokens, documents: as published, see README.md of the data.
PUBLISHED = {
    "conll2003/train.txt": (14041, 203621, 946),
    "conll2003/valid.txt": (3250, 51362, 216),
    "conll2003/test.txt": (3453, 46435, 231),
    "wnut17/wnut17train.conll": (3394, 62730, 1),
    "wnut17/emerging.dev.conll": (1009, 15733, 1),
    "wnut17/emerging.test.annotated": (1287, 23394, 1),
    "weibo_ner/weiboNER_2nd_conll.train": (1350, 73778, 1),
    "weibo_ner/weiboNER_2nd_conll.dev": (270, 14509, 1),
    "weibo_ner/weiboNER_2nd_conll.test": (270, 14842, 1),
    "msra_ner/dev.txt": (4631, 172601, 1),
}


@pytest.mark.real_data
@pytest.mark.parametrize("name", PUBLISHED)
def test_words_of_a_corpus_equal_the_published_count(name, shared):
    sentences = words = documents = 0
    for item in read_items([str(shared / "data" / name)], CONLL):
        sentences += 1
        words += len(item.words)
        documents = item.document + 1
        assert len(item.tags) == len(item.words)

    assert (sentences, words, documents) == PUBLISHED[name]


@pytest.mark.slow
@pytest.mark.real_data
def test_the_compressed_corpus_equals_the_published_count(shared):
    path = str(shared / "data" / "msra_ner" / "train.txt.xz")
    counts = [len(item.words) for item in read_items([path], CONLL)]

    assert (len(counts), sum(counts)) == (50658, 2169879)
