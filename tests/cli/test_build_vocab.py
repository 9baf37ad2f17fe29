"""cli/build_vocab.py"""

from pathlib import Path

import pytest
from click.testing import CliRunner

from kbert import Vocabulary
from kbert.cli.main import main
from kbert.vocabulary import SPECIAL_TOKENS


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text("A dull boy. A DULL boy!\n\nThe boys dulled.\n" * 5, "utf-8")
    return path


def run(*arguments):
    return CliRunner().invoke(main, ["build-vocab", *map(str, arguments)])


def test_a_vocabulary_is_written_and_the_talk_goes_to_stderr(corpus, tmp_path):
    out = tmp_path / "vocab.txt"
    result = run(corpus, "-o", out, "--size", 30)

    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr == (
        f"{out}: 30 tokens, uncased; from 6 documents, 60 words, 8 distinct\n"
    )
    assert "boy" in Vocabulary.from_file(out).ids


def test_cased_keeps_capitals(corpus, tmp_path):
    result = run(corpus, "-o", tmp_path / "vocab.txt", "--size", 32, "--cased")

    assert "cased; from" in result.stderr
    assert {"A", "T", "D"} < Vocabulary.from_file(tmp_path / "vocab.txt").ids.keys()


def test_a_corpus_that_is_too_small_is_told(corpus, tmp_path):
    result = run(corpus, "-o", tmp_path / "vocab.txt")

    assert result.exit_code == 0
    assert "tokens, not 30,000: the corpus holds no more pieces" in result.stderr


def test_characters_that_are_left_out_are_told(corpus, tmp_path):
    out = tmp_path / "vocab.txt"
    result = run(corpus, "-o", out, "--size", 30, "--min-character-count", 6)

    assert "Note: 4 rare characters have no token; words with " in result.stderr
    assert result.stderr.endswith("(--min-character-count): ! h s t\n")


def test_an_extended_vocabulary_keeps_its_case(corpus, tmp_path):
    run(corpus, "-o", tmp_path / "old.txt", "--size", 32, "--cased")
    old = tmp_path / "old.txt"
    news = tmp_path / "news.jsonl"
    news.write_text('{"body": "Quick foxes"}\n' * 5)
    result = run(
        *(news, "-o", tmp_path / "new.txt", "--extend", old, "--size", 50),
        *("--text-column", "body"),
    )

    assert result.exit_code == 0, result.stderr
    assert ": 50 tokens, cased; from" in result.stderr
    assert (tmp_path / "new.txt").read_text().startswith(old.read_text())
    assert "Q" in Vocabulary.from_file(tmp_path / "new.txt").ids


def test_a_file_that_exists_is_replaced_only_on_request(corpus, tmp_path):
    out = tmp_path / "vocab.txt"
    out.write_text("mine")
    result = run(corpus, "-o", out, "--size", 30)

    assert result.exit_code == 1
    assert f"Error: {out}: already exists" in result.stderr
    assert out.read_text() == "mine"
    assert run(corpus, "-o", out, "--size", 30, "--overwrite").exit_code == 0
    assert len(Vocabulary.from_file(out)) == 30


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["none.txt", "-o", "v"], "none.txt: cannot be read: No such file"),
        (["CORPUS", "-o", "v", "--size", 9], "size=9; expected at least 2"),
        (["CORPUS", "-o", "v", "--extend", "CORPUS"], "is empty"),
    ],
)
def test_an_error_is_one_line_and_exit_code_1(
    corpus, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    result = run(*(corpus if one == "CORPUS" else one for one in arguments))

    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith("Error: ")
    assert message in result.stderr
    assert not list(tmp_path.rglob("v"))


def test_the_folders_above_the_output_are_made(corpus, tmp_path):
    out = tmp_path / "new" / "folder" / "vocab.txt"

    assert run(corpus, "-o", out, "--size", 30).exit_code == 0
    assert len(Vocabulary.from_file(out)) == 30


@pytest.fixture
def unread(monkeypatch):
    """Fails where the corpus is read."""

    def read(*arguments, **options):
        raise AssertionError("the corpus is read")

    monkeypatch.setattr("kbert.vocabulary_training.counting.read_documents", read)


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
@pytest.mark.parametrize(
    ("output", "message"),
    [
        (".", ".: is a folder; expected the name of a file\n"),
        ("corpus.txt/v", "corpus.txt/v: cannot be written: Not a directory\n"),
    ],
)
def test_no_place_for_the_output_is_told_before_the_corpus_is_read(
    corpus, unread, tmp_path, monkeypatch, output, message, overwrite
):
    monkeypatch.chdir(tmp_path)
    result = run(corpus, "-o", output, *overwrite)

    assert result.exit_code == 1
    assert result.stderr == f"Error: {message}"


def test_an_empty_folder_is_no_output_either(corpus, unread, tmp_path):
    (tmp_path / "new").mkdir()
    result = run(corpus, "-o", tmp_path / "new")

    assert result.exit_code == 1
    assert "new: is a folder; expected the name of a file\n" in result.stderr


@pytest.mark.parametrize("output", ["shut/v", "shut/new/v"])
def test_a_folder_that_takes_no_file_is_told_before_the_corpus_is_read(
    corpus, unread, tmp_path, monkeypatch, output
):
    (tmp_path / "shut").mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).name != "shut")
    result = run(corpus, "-o", tmp_path / output)

    assert result.exit_code == 1
    assert f"{output}: cannot be written: Permission denied\n" in result.stderr
    assert not any((tmp_path / "shut").iterdir())


def test_a_size_below_that_to_extend_is_told_before_the_corpus_is_read(
    corpus, unread, tmp_path
):
    Vocabulary.from_tokens([*SPECIAL_TOKENS, "a", "b"]).save(tmp_path / "old.txt")
    result = run(
        *(corpus, "-o", tmp_path / "v", "--extend", tmp_path / "old.txt"),
        *("--size", 6),
    )

    assert result.exit_code == 1
    assert result.stderr == (
        "Error: size=6; expected at least 7, for 7 tokens to extend and the characters "
        "of the corpus. Give more room with --size (size in Python), or leave out more "
        "rare characters with --min-character-count (min_character_count).\n"
    )


def test_a_size_below_the_special_tokens_is_told_before_the_corpus_is_read(
    corpus, unread, tmp_path
):
    result = run(corpus, "-o", tmp_path / "v", "--size", 4)

    assert result.exit_code == 1
    assert "size=4; expected at least 5, for the special tokens" in result.stderr


def test_the_corpus_is_not_replaced_by_its_vocabulary(corpus):
    before = corpus.read_bytes()
    result = run(corpus, "-o", corpus, "--overwrite")

    assert result.exit_code == 1
    assert "corpus.txt: is read, and --overwrite" in result.stderr
    assert corpus.read_bytes() == before
