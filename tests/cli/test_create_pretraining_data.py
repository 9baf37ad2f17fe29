"""cli/create_pretraining_data.py"""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from kbert import PretrainingData
from kbert.cli.main import main
from kbert.vocabulary import SPECIAL_TOKENS, Vocabulary

CORPUS = "A dull boy. He works.\nAll day.\n\nIt snows. It is a cold day.\n\nA boy!\n"
WORDS = ["a", "A", "dull", "boy", "day", "works", ".", "snows", "is", "All"]


@pytest.fixture
def kbert(tmp_path, monkeypatch):
    """Runs `kbert create-pretraining-data` in a folder of its own, in this process."""
    monkeypatch.chdir(tmp_path)
    Path("corpus.txt").write_text(CORPUS)
    Vocabulary.from_tokens([*SPECIAL_TOKENS, *WORDS]).save("vocab.txt")

    def run(*arguments, corpus="corpus.txt"):
        fixed = ["--vocab", "vocab.txt", "-o", "out", "--workers", "1"]
        arguments = ["create-pretraining-data", corpus, *fixed, *arguments]
        return CliRunner().invoke(main, arguments)

    return run


def test_text_becomes_data_and_two_lines_tell_what_was_lost(kbert):
    result = kbert("--sequence-length", "16", "--seed", "1")

    assert result.exit_code == 0
    assert result.stdout == ""
    assert re.fullmatch(
        r"out: 3 documents, 6 sentences, 22 tokens; 0 empty documents, "
        r"5 unknown words\n"
        r"length 16: \d rows in 1 shard, 0 held out; 0 tokens did not fit\n",
        result.stderr,
    )
    assert PretrainingData.open("out").lengths == (16,)


def test_every_choice_reaches_the_manifest(kbert):
    Path("corpus.jsonl").write_text('{"body": "a boy\\nA day"}\n' * 9)
    result = kbert(
        *("--objective", "sop", "--sequence-length", "16,32", "--seed", "7"),
        *("--short-sequence-rate", "0.5", "--uncased", "--keep-accents"),
        "--already-split",
        *("--evaluation-fraction", "0.25", "--shards", "2", "--text-column", "body"),
        *("--static-masks", "--dupe-factor", "3", "--masking", "whole-word"),
        *("--max-predictions", "2,4"),
        corpus="corpus.jsonl",
    )

    manifest = json.loads(Path("out/manifest.json").read_text())
    assert result.exit_code == 0, result.stderr
    assert manifest["settings"] == {
        "objective": "sop",
        "sequence_lengths": [16, 32],
        "seed": 7,
        "short_sequence_rate": 0.5,
        "lowercase": True,
        "strip_accents": False,
        "already_split": True,
        "evaluation_fraction": 0.25,
        "shards": 2,
        "static": {
            "dupe_factor": 3,
            "masking": "whole-word",
            "max_predictions": [2, 4],
        },
        "text_column": "body",
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--sequence-length", "long"], "'long' is not one or more whole numbers"),
        (["--dupe-factor", "2"], "--dupe-factor needs --static-masks"),
        (["--masking", "whole-word"], "--masking needs --static-masks"),
        (["--objective", "mlm"], "'mlm' is not one of 'nsp', 'sop', 'none'"),
        (["--evaluation-fraction", "0.7"], "0.7 is not in the range"),
        (["--vocab", "none.txt"], "'none.txt' does not exist"),
        (["--overwrite", "--resume"], "--resume goes on with what --overwrite deletes"),
    ],
)
def test_misuse_is_told_and_exits_with_2(kbert, arguments, message):
    result = kbert(*arguments)

    assert result.exit_code == 2
    assert message in result.stderr
    assert not Path("out").exists()


def test_a_bad_corpus_is_one_line_and_exits_with_1(kbert):
    Path("corpus.txt").write_text("A dull boy.\n")
    result = kbert()

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: the corpus is one document")
    assert result.stderr.count("\n") == 1


def test_resume_and_overwrite_are_passed_on(kbert):
    assert kbert().exit_code == 0
    before = Path("out/manifest.json").stat().st_mtime_ns

    assert kbert().exit_code == 1
    assert kbert("--resume").exit_code == 0
    assert Path("out/manifest.json").stat().st_mtime_ns == before
    assert kbert("--overwrite", "--seed", "3").exit_code == 0
    assert PretrainingData.open("out").manifest["settings"]["seed"] == 3


# === The real command, with its processes ===


def write_corpus(path, documents):
    draw = random.Random(4)
    path.write_text(
        "\n\n".join(
            ". ".join(
                " ".join(draw.choices(WORDS, k=draw.randint(2, 20))) for _ in range(60)
            )
            for _ in range(documents)
        )
    )


def start(folder, *arguments):
    command = [sys.executable, "-m", "kbert", "create-pretraining-data", "corpus.txt"]
    command += ["--vocab", "vocab.txt", "-o", "out", *arguments]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture
def folder(tmp_path):
    write_corpus(tmp_path / "corpus.txt", 4000)
    Vocabulary.from_tokens([*SPECIAL_TOKENS, *WORDS]).save(tmp_path / "vocab.txt")
    return tmp_path


def contents(folder):
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


@pytest.mark.slow
def test_one_worker_and_two_and_kills_and_signals_give_the_same_bytes(folder):
    alone = start(folder, "--workers", "1")
    assert alone.communicate()[0] == ""
    expected = contents(folder)
    for number, stop in enumerate([signal.SIGKILL, signal.SIGINT, signal.SIGTERM] * 2):
        arguments = ["--workers", "2", "--resume" if number else "--overwrite"]
        process = start(folder, *arguments)
        time.sleep(3 + 2 * number)
        process.send_signal(stop)
        _, errors = process.communicate()
        if process.returncode and stop != signal.SIGKILL:
            assert process.returncode == 1
            assert re.match(r"Error: stopped by SIG\w+\. What was done is kept", errors)
    last = start(folder, "--workers", "2", "--resume")
    _, errors = last.communicate()

    assert last.returncode == 0, errors
    assert contents(folder) == expected
    assert sorted(os.listdir(folder)) == ["corpus.txt", "out", "vocab.txt"]
