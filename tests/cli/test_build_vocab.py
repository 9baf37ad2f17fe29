"""cli/build_vocab.py"""

import pytest
from click.testing import CliRunner

from kbert import Vocabulary
from kbert.cli.main import main


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
        (["CORPUS", "-o", "no/where/v"], "no/where/v: cannot be written: No such"),
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
