"""cli/fill_mask.py"""

import dataclasses
import json

import pytest
from click.testing import CliRunner

import kbert
from kbert.cli.main import main
from kbert.heads import build_head


@pytest.fixture(scope="module")
def folder(tiny_bert, tmp_path_factory):
    """A model that guesses."""
    head = build_head("masked_lm", tiny_bert.encoder, tiny_bert.config)
    bert = dataclasses.replace(tiny_bert, heads={"masked_lm": head})
    path = tmp_path_factory.mktemp("guesser") / "model"
    kbert.save(bert, path)
    return path


def run(*arguments, stdin=None):
    arguments = ["fill-mask", *map(str, arguments)]
    return CliRunner().invoke(main, arguments, input=stdin)


def test_each_guess_is_a_row_of_probability_token_and_text(folder):
    result = run("a [MASK]\tb", "--model", folder, "--top", 3)

    rows = [line.split("\t") for line in result.stdout.splitlines()]
    (filled,) = kbert.fill_mask(["a [MASK]\tb"], folder, top=3)
    assert rows == [
        [f"{one.probability:.4f}", one.token, " ".join(one.text.split())]
        for one in filled.masks[0]
    ]
    assert len(rows) == 3
    assert result.exit_code == 0
    assert result.stderr == ""


def test_several_texts_and_masks_follow_one_another(folder):
    result = run("[MASK] a [MASK]", "[MASK]", "--model", folder, "--top", 2)

    assert len(result.stdout.splitlines()) == 6


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_lines_of_standard_input_become_objects(folder, arguments):
    lines = "é [MASK]\n[MASK] b [MASK]\n"
    result = run(*arguments, "--model", folder, "--json", stdin=lines)

    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [one["text"] for one in found] == ["é [MASK]", "[MASK] b [MASK]"]
    assert [len(one["masks"]) for one in found] == [1, 2]
    assert all(len(mask) == 5 for one in found for mask in one["masks"])
    guess = found[0]["masks"][0][0]
    assert sorted(guess) == ["probability", "text", "token"]
    assert guess["text"].startswith("é")


@pytest.mark.parametrize(
    ("arguments", "stdin", "message"),
    [
        (["no mask"], None, r"Error: text 1 has no [MASK]: 'no mask'. Write [MASK]"),
        ([], "[MASK]\nnone\n", "Error: text 2 has no [MASK]: 'none'."),
        (["[MASK]", "--top", "1000000"], None, "Error: top=1000000; expected 1 to"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(folder, arguments, stdin, message):
    result = run(*arguments, "--model", folder, stdin=stdin)

    assert result.exit_code == 1
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1


def test_a_model_without_the_head_is_named(tiny_model):
    result = run("[MASK]", "--model", tiny_model)

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: the model has no head masked_lm to guess")


def test_a_terminal_is_not_waited_for(folder, monkeypatch):
    monkeypatch.setattr("kbert.cli.fill_mask._is_terminal", lambda: True)
    result = run("--model", folder)

    assert result.exit_code == 2
    assert "Give a TEXT, or lines on standard input." in result.stderr
