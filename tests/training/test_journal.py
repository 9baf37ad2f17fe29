"""kbert/training/journal.py"""

import pytest

from kbert.training.journal import LOG, append_log, read_log, rewind_log

LINES = [{"step": step, "loss": 1 / step} for step in (2, 4, 6)]


@pytest.fixture
def run(tmp_path):
    for line in LINES:
        append_log(tmp_path, line)
    return tmp_path


def test_lines_come_back_with_every_digit(run):
    assert read_log(run) == LINES


def test_no_log_has_no_lines(tmp_path):
    assert read_log(tmp_path) == []


def test_rewinding_forgets_what_came_after_the_step(run):
    assert rewind_log(run, step=5) == LINES[:2]
    assert read_log(run) == LINES[:2]
    assert (
        run / LOG
    ).read_text() == '{"step": 2, "loss": 0.5}\n{"step": 4, "loss": 0.25}\n'


@pytest.mark.parametrize(
    "torn",
    [b'{"step": 8, "lo', b'{"step": 8', b"\xff\xfe", b"7", b'{"loss": 1}\n', b'"'],
)
def test_a_line_that_a_crash_cut_off_is_left_out_and_rewinding_removes_it(run, torn):
    with open(run / LOG, "ab") as log:
        log.write(torn)

    assert read_log(run) == LINES
    assert rewind_log(run, step=6) == LINES
    append_log(run, {"step": 8})
    assert read_log(run) == [*LINES, {"step": 8}]
