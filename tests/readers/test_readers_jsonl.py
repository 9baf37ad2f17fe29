"""kbert/readers/jsonl.py"""

import json

import pytest

from kbert.errors import InputError
from kbert.readers import ReaderOptions, read_items
from kbert.readers.jsonl import first_object


def read(tmp_path, content, check_tags=False, **options):
    path = tmp_path / "a.jsonl"
    path.write_bytes(content.encode())
    options = ReaderOptions(**options)
    return list(read_items([str(path)], options, check_tags=check_tags))


def test_a_string_is_text_and_other_keys_are_ignored(tmp_path):
    (item,) = read(
        tmp_path, '{"n": [1.5, null], "text": "a\\u2028\\ud83d\\ude00\\u0000"}'
    )

    assert (item.text, item.words, item.id) == ("a\u2028😀\0", None, None)


def test_a_list_is_words_and_its_tags_are_kept(tmp_path):
    items = read(tmp_path, '{"tokens": ["a", "", "b c"], "tags": ["O", "O", "B"]}\n')

    assert items[0].words == ("a", "", "b c")
    assert items[0].tags == ("O", "O", "B")
    assert read(tmp_path, '{"words": []}')[0].words == ()


BAD_TAGS = {
    '["O"]': "1 tags for 2 words; expected one tag a word",
    '["O", 3]': r"tags\[1\] is the number 3; expected a string",
    "null": "'tags' is null; expected a list of strings",
    '"O B"': "'tags' is a string; expected a list of strings",
    '["O", "\\ud83d"]': "half of a surrogate pair",
}


@pytest.mark.parametrize("tags", BAD_TAGS)
def test_a_key_called_tags_that_holds_no_tag_a_word_is_ignored(tmp_path, tags):
    (item,) = read(tmp_path, f'{{"words": ["a", "b"], "tags": {tags}}}')

    assert (item.words, item.tags) == (("a", "b"), None)


@pytest.mark.parametrize("tags", BAD_TAGS)
def test_who_needs_tags_is_told_what_is_wrong_with_them(tmp_path, tags):
    with pytest.raises(InputError, match=f"line 1: .*{BAD_TAGS[tags]}"):
        read(tmp_path, f'{{"words": ["a", "b"], "tags": {tags}}}', check_tags=True)


def test_who_needs_tags_may_name_their_key(tmp_path):
    content = '{"tokens": ["a", "b"], "ner_tags": ["O", "B-X"], "tags": ["news"]}'
    (item,) = read(tmp_path, content, check_tags=True, label_column="ner_tags")

    assert (item.words, item.tags, item.label) == (("a", "b"), ("O", "B-X"), None)
    (item,) = read(tmp_path, content, label_column="ner_tags")
    assert (item.tags, item.label) == (None, ("O", "B-X"))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ('"tags": ["O"]', "no key 'gold' in the object; .* 'words', 'tags'"),
        ('"gold": ["O", "O"]', "2 tags for 1 words; expected one tag a word"),
        (
            '"gold": [3]',
            r"gold\[0\] is the number 3; expected a string\. Tags are given by their "
            "names, such as O and B-PER, not by numbers",
        ),
    ],
)
def test_a_key_of_tags_that_is_named_has_to_hold_them(tmp_path, row, message):
    with pytest.raises(InputError, match=f"line 1: {message}"):
        read(
            tmp_path,
            f'{{"words": ["a"], {row}}}',
            check_tags=True,
            label_column="gold",
        )


@pytest.mark.parametrize(
    ("content", "first"),
    [
        ('{"a": 1, "b": [2]}\n{"c": 3}\n', {"a": 1, "b": [2]}),
        ("{}\n", {}),
        ("", None),
    ],
)
def test_the_first_object_of_a_file_tells_its_keys(tmp_path, content, first):
    (tmp_path / "a.jsonl").write_text(content)

    assert first_object(str(tmp_path / "a.jsonl")) == first


def test_keys_are_chosen_by_name(tmp_path):
    content = (
        '{"q": "a", "r": "b", "n": 7, "d": 1}\r\n'
        '{"q": "c", "r": "", "n": "x", "d": 1}\n'
        '{"q": "e", "r": "f", "n": -1, "d": {"k": 2}}\n\n\n'
    )
    keys = {
        "text_column": "q",
        "text_pair_column": "r",
        "id_column": "n",
        "document_column": "d",
    }
    items = read(tmp_path, content, **keys)

    assert [(one.id, one.text, one.text_pair, one.document) for one in items] == [
        ("7", "a", "b", 0),
        ("x", "c", "", 0),
        ("-1", "e", "f", 1),
    ]


def test_without_a_document_key_every_object_is_a_document(tmp_path):
    items = read(tmp_path, '{"sentence": "a"}\n{"sentence": "a"}\n')

    assert [one.document for one in items] == [0, 1]


def test_a_label_is_a_string_a_number_or_a_list_of_them(tmp_path):
    values = ["a", 1, -0.5, 3.0, True, ["a", 2], []]
    lines = [json.dumps({"text": "", "label": value}) for value in values]
    items = read(tmp_path, "\n".join(lines), label_column="label")

    assert [one.label for one in items] == [
        "a",
        "1",
        "-0.5",
        "3.0",
        "true",
        ("a", "2"),
        (),
    ]


def test_endings_are_the_list_of_one_key_or_the_strings_of_several(tmp_path):
    content = '{"text": "", "x": ["a", "b"], "y": "c", "z": "d"}'
    (listed,) = read(tmp_path, content, ending_columns=("x",))
    (single,) = read(tmp_path, content, ending_columns=("z", "y"))

    assert listed.endings == ("a", "b")
    assert single.endings == ("d", "c")
