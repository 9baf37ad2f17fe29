"""kbert/vocabulary.py"""

import hashlib
import pickle

import pytest

from kbert.errors import InputError
from kbert.vocabulary import SPECIAL_TOKENS, Vocabulary

TOKENS = [*SPECIAL_TOKENS, "boy", "##s", "é"]
FILE = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n"


def test_an_id_is_the_number_of_the_line_from_zero():
    vocabulary = Vocabulary.from_tokens(TOKENS)

    assert vocabulary.tokens == tuple(TOKENS)
    assert len(vocabulary) == 8
    assert vocabulary.ids["é"] == 7
    assert (vocabulary.pad_id, vocabulary.unk_id, vocabulary.cls_id) == (0, 1, 2)
    assert (vocabulary.sep_id, vocabulary.mask_id) == (3, 4)


def test_what_is_saved_loads_again_and_has_the_digest_of_the_file(tmp_path):
    vocabulary = Vocabulary.from_tokens(TOKENS)
    vocabulary.save(tmp_path / "vocab.txt")
    content = (tmp_path / "vocab.txt").read_bytes()

    assert content == (FILE + "boy\n##s\né\n").encode()
    assert vocabulary.digest == hashlib.sha256(content).hexdigest()
    assert Vocabulary.from_file(tmp_path / "vocab.txt") == vocabulary


def test_the_last_line_may_lack_its_end(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text(FILE + "boy", "utf-8")

    assert Vocabulary.from_file(path).tokens[-1] == "boy"


def test_only_a_newline_ends_a_line(tmp_path):
    path = tmp_path / "vocab.txt"
    path.write_text(FILE + "\u2028\n##\u2028\na\x85b\n", "utf-8")

    assert Vocabulary.from_file(path).tokens[5:] == ("\u2028", "##\u2028", "a\x85b")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (FILE + "a\nb\na\n", "line 8: token 'a' stands on line 6 already. Each token"),
        (FILE + "a\n\nb\n", "line 7: is empty. Ids are line numbers"),
        (FILE + "a\n \t\nb\n", "line 7: is empty."),
        (FILE + "a\n\n", "line 7: is empty."),
        ("", "line 1: is empty."),
        (FILE + "a\r\nb\r\n", "line 6: ends with a carriage return. Convert its"),
        (FILE + "a \n", "line 6: token 'a ' begins or ends with a blank. Delete"),
        (FILE + "\u3000a\n", "line 6: token '\\u3000a' begins or ends with a blank."),
        (FILE + "##a\xa0\n", "line 6: token '##a\\xa0' begins or ends with a blank."),
        (FILE + "a\0b\n", "line 6: token 'a\\x00b' holds a line end or NUL."),
        (
            FILE + "x" * 257 + "\n",
            "line 6: token 'xxxxxxxxxxxxxxxxxxxx…' has 257",
        ),
        ("\ufeff" + FILE, "line 1: begins with a byte order mark. Save it as UTF-8"),
        (b"[PAD]\n[UNK]\nn\xe9e\n", "line 3: 0xe9, byte 2 of the line, is not UTF-8."),
        (FILE.encode("utf-16-le"), "line 1: token '[\\x00P\\x00A"),
        ("[PAD]\n[UNK]\n[CLS]\na\n", "[SEP], [MASK] missing after line 4; expected a"),
    ],
)
def test_a_bad_file_is_refused_with_the_line_and_the_way_out(
    tmp_path, content, message
):
    path = tmp_path / "vocab.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(InputError) as error:
        Vocabulary.from_file(path)
    assert str(error.value).startswith(str(path))
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.txt: cannot be read: No such file"):
        Vocabulary.from_file(tmp_path / "nowhere.txt")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        Vocabulary.from_file(tmp_path)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ("vocab.txt", "the tokens are of type str; expected a list of str. The path"),
        (None, "the tokens are of type NoneType"),
        (
            [*TOKENS, 7],
            "vocabulary list, line 9: 7 is no str. Give every token as",
        ),
        ([*TOKENS, "a\nb"], r"line 9: token 'a\\nb' holds a line end"),
        ([*TOKENS, "\ud800"], r"line 9: token '\\ud800' holds a lone surrogate"),
    ],
)
def test_a_bad_list_is_refused(tokens, message):
    with pytest.raises(InputError, match=message):
        Vocabulary.from_tokens(tokens)


def test_a_vocabulary_cannot_be_changed_and_survives_pickling():
    vocabulary = Vocabulary.from_tokens(TOKENS)

    with pytest.raises(AttributeError):
        vocabulary.tokens = ()
    assert pickle.loads(pickle.dumps(vocabulary)) == vocabulary


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("vocab/bert-base-uncased-vocab.txt", 30522),
        ("vocab/bert-base-cased-vocab.txt", 28996),
        ("vocab/bert-base-chinese-vocab.txt", 21128),
        ("tf1_bert_ckpt/vocab.txt", 15),
    ],
)
def test_published_vocabularies_load_as_they_are(shared, name, size):
    assert len(Vocabulary.from_file(shared / "data" / name)) == size
