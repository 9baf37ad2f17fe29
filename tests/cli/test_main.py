"""cli/main.py"""

import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

import kbert
from kbert.cli.main import Kbert, main
from kbert.errors import InputError


def run(*arguments):
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def failing():
    """A group of the same class, with a command that fails as libraries do."""

    @click.group(cls=Kbert)
    def group():
        pass

    @group.command()
    @click.argument("kind")
    def fail(kind):
        raise {
            "kbert": InputError("3 columns", where="a.tsv", line=7, expected="2"),
            "bug": ZeroDivisionError("a bug"),
        }[kind]

    return group


def test_the_version_is_the_one_of_the_package():
    result = run("--version")

    assert result.exit_code == 0
    assert result.stdout == f"kbert, version {kbert.__version__}\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_lists_every_command_on_stdout(flag):
    result = run(flag)

    assert result.exit_code == 0
    for name in main.commands:
        assert f"  {name} " in result.stdout


@pytest.mark.parametrize("arguments", [["no-such-command"], ["--no-such-option"]])
def test_misuse_ends_with_2_and_says_how_to_get_help(arguments):
    result = run(*arguments)

    assert result.exit_code == 2
    assert arguments[0] in result.stderr
    assert result.stdout == ""


def test_a_kbert_error_is_one_line_on_stderr_and_ends_with_1(failing):
    result = CliRunner().invoke(failing, ["fail", "kbert"])

    assert result.exit_code == 1
    assert result.stderr == "Error: a.tsv, line 7: 3 columns; expected 2\n"
    assert result.stdout == ""


def test_a_bug_of_ours_is_not_dressed_up_as_the_users_mistake(failing):
    result = CliRunner().invoke(failing, ["fail", "bug"])

    assert isinstance(result.exception, ZeroDivisionError)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["describe", "tiny"], 0), (["describe", "no.json"], 1), (["describe"], 2)],
)
def test_python_m_kbert_gives_the_exit_code_to_the_shell(arguments, code, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "kbert", *arguments],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )

    assert done.returncode == code
    assert "Traceback" not in done.stderr
