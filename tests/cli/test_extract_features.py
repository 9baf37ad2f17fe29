"""cli/extract_features.py, cli/options.py and cli/quiet.py"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from kbert import FeatureStore
from kbert.cli.main import main

LINES = "The cat sat.\nß the dogs\n\nThe cat sat.\n"
CONLL = "the D\ncats N\n\nsat V\n"
BUSY = "the dog sat on the mats running\n" * 40_000


@pytest.fixture
def kbert(tiny_model, tmp_path, monkeypatch):
    """Runs `kbert extract-features` in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, model=tiny_model, text=None):
        arguments = ["extract-features", *arguments, "--model", str(model)]
        return CliRunner().invoke(main, arguments, input=text)

    return run


def written(name, text):
    Path(name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return name


def test_lines_become_a_store_and_one_line_tells_what_was_lost(kbert):
    result = kbert(written("a.txt", LINES), "-o", "out")

    assert result.exit_code == 0
    assert result.stdout == ""
    assert result.stderr == "out: 4 items, 4 rows; 1 unk, 1 empty, 0 truncated\n"
    assert FeatureStore.open("out").to_numpy().shape == (4, 12)


def test_conll_is_read_as_words_unless_told_otherwise(kbert):
    kbert(written("a.conll", CONLL), "-o", "words")
    kbert("a.conll", "-o", "sentences", "--unit", "sentence")

    assert len(FeatureStore.open("words").to_numpy()) == 3
    assert len(FeatureStore.open("sentences").to_numpy()) == 2


@pytest.mark.parametrize("layers", [["--layers", "-2:"], ["--layers=-2:"]])
def test_layers_may_begin_with_a_minus(kbert, layers):
    result = kbert(written("a.txt", LINES), "-o", "out", *layers)

    assert result.exit_code == 0, result.stderr
    assert FeatureStore.open("out").to_numpy().shape == (4, 24)


def test_every_choice_reaches_the_manifest(kbert):
    result = kbert(
        *(written("a.tsv", "n\tone\ttwo\tid\nx\tthe\tcat\t7\n"), "-o", "out"),
        *("--text-column", "one", "--text-pair-column", "two", "--id-column", "id"),
        *("--document-column", "n", "--unit", "word", "--layers", "0,-1"),
        *("--combine", "stack", "--word-pool", "max", "--normalize"),
        *("--max-length", "9", "--stride", "3", "--compute-dtype", "bfloat16"),
        *("--store-dtype", "float16", "--limit", "1", "--shard-size", "0.5"),
    )

    manifest = json.loads(Path("out/manifest.json").read_text())
    assert result.exit_code == 0, result.stderr
    assert manifest["row_shape"] == [2, 12]
    assert (manifest["dtype"], manifest["shard_bytes"]) == ("float16", 500_000)
    assert manifest["settings"]["limit"] == 1
    reading = {
        "format": "auto",
        "text_column": "one",
        "text_pair_column": "two",
        "id_column": "id",
        "document_column": "n",
        "word_column": 0,
        "header": True,
    }
    # What else a reader may be told, such as labels, has no flag here.
    found = manifest["settings"]["reading"]
    assert {name: found[name] for name in reading} == reading
    assert manifest["settings"]["features"] == {
        "unit": "word",
        "layers": [0, 3],
        "combine": "stack",
        "word_pool": "max",
        "normalize": True,
        "max_length": 9,
        "stride": 3,
        "context": "none",
        "compute_dtype": "bfloat16",
    }


def test_standard_input_and_output_are_both_a_minus(kbert):
    result = kbert("-", "-o", "-", text=LINES)

    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 0
    assert [row["status"] for row in rows] == [["ok"], ["unk"], ["empty"], ["ok"]]
    assert np.shape(rows[0]["vectors"]) == (1, 12)
    assert result.stderr == "-: 4 items, 4 rows; 1 unk, 1 empty, 0 truncated\n"
    assert os.listdir() == []


@pytest.mark.parametrize("output_format", ["npz", "jsonl", "hdf5", "parquet"])
def test_another_format_is_one_file(kbert, output_format):
    result = kbert(
        written("a.txt", LINES), "-o", "out", "--output-format", output_format
    )

    assert result.exit_code == 0, result.stderr
    assert sorted(os.listdir()) == ["a.txt", "out"]
    assert Path("out").stat().st_size > 4 * 12 * 4


def test_a_dry_run_prints_an_estimate_and_writes_nothing(kbert):
    result = kbert(written("a.txt", LINES), "-o", "out", "--dry-run")

    assert result.exit_code == 0
    assert result.stdout.startswith("4 items, 4 rows, 0.0 MB, about 0 s")
    assert os.listdir() == ["a.txt"]


def test_a_dry_run_counts_standard_input(kbert):
    result = kbert("-", "-o", "out", "--dry-run", text="cat\n" * 1000)

    assert result.stdout.startswith("1,000 items, 1,000 rows")


def test_overwrite_replaces_and_resume_keeps(kbert):
    kbert(written("a.txt", LINES), "-o", "out")

    assert kbert("a.txt", "-o", "out", "--resume").exit_code == 0
    assert kbert("a.txt", "-o", "out", "--overwrite", "--limit", "2").exit_code == 0
    assert len(FeatureStore.open("out")) == 2


def damaged(tiny_model, name, content):
    """A copy of the model with one file replaced."""
    shutil.copytree(tiny_model, "damaged")
    written(f"damaged/{name}", content)
    return "damaged"


FILES = {
    "good.txt": LINES,
    "good.csv": "text,label\nthe cat,1\n",
    "pair.csv": "text,other\nthe,cat\n",
    "ragged.conll": "the D\ncat\n",
    "bad.jsonl": '{"text": "the"}\n{"text": \n',
    "number.jsonl": '{"text": 3}\n',
    "ragged.csv": "text,label\nthe,1\ncat\n",
    "quote.csv": 'text\n"the\n',
    "twice.csv": "text,text\na,b\n",
    "empty.txt": "",
    "latin.txt": b"caf\xe9\n",
    "a.xml": "<a/>",
    "fake.gz": "not packed",
    "taken/file": "mine",
    "file": "mine",
}
BAD_INPUT = [
    (["none.txt"], r"none.txt: cannot be read: No such file"),
    (["taken"], r"taken: .*the ending '' does not say what the file holds"),
    (["taken", "--format", "lines"], "taken: is a folder; expected a file"),
    (["a.xml"], r"a.xml: the ending '.xml' does not say .* Give --format"),
    (["empty.txt"], "empty.txt: holds nothing to read as lines"),
    (["latin.txt"], "latin.txt, line 1: byte 0xe9 at offset 3 .* not UTF-8"),
    (["fake.gz", "--format", "lines"], "fake.gz: cannot be read: Not a gzipped"),
    (["ragged.conll"], "ragged.conll, line 2: 1 columns in 'cat'; expected 2"),
    (["ragged.conll", "--word-column", "1"], "word_column=1 in a file of 2 columns"),
    (["ragged.conll", "--word-column", "-1"], "word_column=-1; expected 0 or more"),
    (["bad.jsonl"], "bad.jsonl, line 2: .*JSON"),
    (
        ["number.jsonl"],
        "number.jsonl, line 1: 'text' is the number 3; expected a string",
    ),
    (["bad.jsonl", "--text-column", "body"], "line 1: no key 'body' in the object"),
    (["good.csv", "--text-column", "body"], "text_column='body': no such column"),
    (["good.csv", "--id-column", "no"], "good.csv: id_column='no': no such column"),
    (["good.csv", "--no-header"], "good.csv: 2 columns and none called text"),
    (["ragged.csv"], "ragged.csv, line 3: 1 columns; expected 2"),
    (["quote.csv"], "quote.csv, line 2: a quote that opens here is never closed"),
    (["twice.csv"], "twice.csv, line 1: two columns are called 'text'"),
    (["good.txt", "--text-column", "a"], "text_column='a' has no meaning for lines"),
    (["-", "-"], "- is given more than once"),
    (["good.txt", "--layers", "4"], "there is no layer 4; .* this model has 3 layers"),
    (["good.txt", "--layers", "-9:"], "no layer -9:; .* this model has 3 layers"),
    (["good.txt", "--layers", "1,1"], "layers='1,1' names a layer twice"),
    (["good.txt", "--layers", ""], "layers: '' is not a layer"),
    (["good.txt", "--layers", "top"], "'top' is not a layer; expected a number"),
    (["good.txt", "--max-length", "17"], "max_length=17; expected 3 to 16"),
    (["good.txt", "--max-length", "2"], "max_length=2; expected 3 to 16"),
    (["good.txt", "--stride", "15"], "stride=15 with max_length=16; .* 1 to 14"),
    (["good.txt", "--sentence-pool", "pooler", "--layers", "1"], "'pooler' with layer"),
    (
        ["pair.csv", "--text-pair-column", "other", "--context", "document"],
        "pair.csv, line 2: a pair has no document context",
    ),
    (["-", "--resume"], "standard input or a pipe cannot be resumed"),
    (["good.txt", "-o", "taken"], "taken: already exists. .* --overwrite"),
    (["good.txt", "-o", "file"], "file: already exists"),
    (["good.txt", "-o", "file", "--output-format", "npz"], "file: already exists"),
    (["good.txt", "-o", "file/out"], "file/out.partial: cannot be written: Not a dir"),
    (["good.txt", "-o", "/proc/no/out"], "/proc/no/out.partial: cannot be written"),
]


@pytest.mark.parametrize(("arguments", "message"), BAD_INPUT)
def test_bad_input_is_one_clear_line(kbert, arguments, message):
    Path("taken").mkdir()
    for name, text in FILES.items():
        written(name, text)
    before = sorted(os.listdir())
    where = [] if "-o" in arguments else ["-o", "out"]

    result = kbert(*arguments, *where, text="the\n")

    assert_one_line(result, message)
    assert sorted(os.listdir()) == before


def assert_one_line(result, message):
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("Error: ")
    assert re.search(message, result.stderr), result.stderr


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.json", "{", "config.json.*: not valid JSON"),
        ("config.json", "[]", "config.json: holds a JSON list; expected an object"),
        ("config.json", '{"model_type": "gpt2"}', "config.json"),
        ("vocab.txt", "the\n", r"vocab.txt: 4 bytes; expected \d+ bytes as in its man"),
        ("model.safetensors", b"x" * 99, "model.safetensors"),
    ],
)
def test_a_damaged_model_is_one_clear_line(kbert, tiny_model, name, content, message):
    model = damaged(tiny_model, name, content)

    result = kbert(written("a.txt", LINES), "-o", "out", model=model)

    assert_one_line(result, message)


@pytest.mark.parametrize("model", ["nowhere", "empty", "a.txt"])
def test_a_folder_that_is_no_model_is_one_clear_line(kbert, model):
    Path("empty").mkdir()

    result = kbert(written("a.txt", LINES), "-o", "out", model=model)

    assert_one_line(result, model)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'INPUT...'"),
        (["a.txt"], "Missing option '-o'"),
        (["a.txt", "-o", "out", "--unit", "char"], "'char' is not one of 'token'"),
        (["a.txt", "-o", "out", "--limit", "0"], "0 is not in the range x>=1"),
        (["a.txt", "-o", "out", "--shard-size", "0"], "0.0 is not in the range x>0"),
        (["a.txt", "-o", "out", "--shard-size", "nan"], "nan is no size"),
        (["a.txt", "-o", "out", "--shard-size", "inf"], "inf is no size"),
        (["a.txt", "-o", "out", "--layer", "1"], "No such option"),
        (["a.txt", "-o", "-", "--output-format", "npz"], "-o - writes jsonl"),
        (["a.txt", "-o", "-", "--resume"], "-o - cannot be resumed"),
        (
            ["a.txt", "-o", "out", "--resume", "--overwrite"],
            "--resume goes on with what --overwrite deletes",
        ),
    ],
)
def test_misuse_ends_with_2_and_the_usage(kbert, arguments, message):
    result = kbert(*arguments)

    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert result.stderr.startswith("Usage: ")


def kbert_process(*arguments, **options):
    # JAX sets the variable while this process imports Keras; a user's shell does not.
    environment = {**os.environ}
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return subprocess.Popen(
        [sys.executable, "-m", "kbert", "extract-features", *map(str, arguments)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        **{"stdout": subprocess.PIPE, **options},
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_run_within_seconds_and_it_can_be_resumed(
    kbert, tiny_model, number
):
    run = [written("a.txt", BUSY), "-o", "out", "--unit", "word", "--shard-size", "1"]
    process = kbert_process(*run, "--model", tiny_model)
    while not Path("out.partial/journal.jsonl").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)

    process.send_signal(number)
    began = time.perf_counter()
    stdout, stderr = process.communicate()

    assert time.perf_counter() - began < 5
    assert process.returncode == 1
    assert stdout == ""
    assert re.fullmatch(
        rf"Error: stopped by {number.name}\. [1-9][0-9,]* items are kept: run the same "
        r"command with --resume to go on\.\n",
        stderr,
    )
    assert kbert(*run, "--resume").exit_code == 0
    assert kbert("a.txt", "-o", "whole", *run[3:]).exit_code == 0
    for path in Path("whole").iterdir():
        assert path.read_bytes() == Path("out", path.name).read_bytes(), path.name


def test_a_reader_that_goes_away_ends_the_command_quietly(tiny_model, tmp_path):
    (tmp_path / "a.txt").write_text("the cat\n" * 3000)
    process = kbert_process("a.txt", "-o", "-", "--model", tiny_model, cwd=tmp_path)

    with process.stdout, process.stderr:
        process.stdout.read(10)
        process.stdout.close()
        stderr = process.stderr.read()

    assert process.wait() == 1
    assert stderr == ""


@pytest.mark.parametrize("count", [2, 3000])
def test_a_full_disk_behind_standard_output_is_one_clear_line(
    tiny_model, tmp_path, count
):
    (tmp_path / "a.txt").write_text("the cat\n" * count)
    with open("/dev/full", "wb") as full:
        process = kbert_process(
            *("a.txt", "-o", "-", "--model", tiny_model), cwd=tmp_path, stdout=full
        )
        _, stderr = process.communicate()

    assert process.returncode == 1
    assert stderr == (
        "Error: standard output: cannot be written: No space left on device. What was "
        "written is not whole.\n"
    )


@pytest.mark.parametrize("output", [".", "", ".."])
@pytest.mark.parametrize(
    ("more", "message"),
    [
        ([], "is the current folder, or above it, and cannot be replaced"),
        (["--overwrite"], "is the current folder, or above it, and cannot be replaced"),
        (["--overwrite", "--output-format", "npz"], "is a folder; expected the name"),
    ],
)
def test_the_current_folder_is_no_output(kbert, tmp_path, output, more, message):
    source = str(written(tmp_path / "a.txt", LINES))
    Path("up/work").mkdir(parents=True)
    os.chdir("up/work")

    assert_one_line(kbert(source, "-o", output, *more), message)
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["a.txt", "up", "work"]


def test_the_folder_of_the_input_is_not_replaced(kbert):
    Path("corpus").mkdir()
    written("corpus/x.txt", LINES)

    result = kbert("corpus/x.txt", "-o", "corpus", "--overwrite")

    assert_one_line(result, r"corpus/x\.txt: is read, and --overwrite .* would delete")
    assert os.listdir() == ["corpus"]
    assert Path("corpus/x.txt").read_text() == LINES


def test_importing_tensorflow_quietly_gives_standard_error_back():
    code = (
        "import os, sys\n"
        "from kbert.cli.quiet import import_tensorflow\n"
        "import_tensorflow()\n"
        "assert 'tensorflow' in sys.modules\n"
        "os.write(2, b'back')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (done.returncode, done.stderr) == (0, "back")


def test_an_import_that_fails_is_not_hidden(tmp_path):
    (tmp_path / "tensorflow.py").write_text("raise ImportError('no such library')")
    code = "from kbert.cli.quiet import import_tensorflow; import_tensorflow()"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )

    assert done.returncode == 1
    assert done.stderr.endswith("ImportError: no such library\n")
