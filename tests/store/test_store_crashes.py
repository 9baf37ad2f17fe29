"""kbert/store/: killed or out of disk at any moment, and resumed"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("crash_driver.py")


def drive(folder, mode, number):
    done = subprocess.run(
        [sys.executable, DRIVER, folder, mode, str(number)],
        capture_output=True,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["problems"] == []
    return result["kills"]


def test_a_kill_at_every_thirteenth_step_leaves_whole_files_and_a_resumable_store(
    tmp_path,
):
    kills = drive(tmp_path, "steps", 13)

    assert min(kills.values()) >= 8


def test_a_kill_at_a_random_moment_is_resumed_to_the_same_bytes(tmp_path):
    assert drive(tmp_path, "random", 10)["random"] >= 10


def test_a_full_disk_is_one_clear_error_and_is_resumed_to_the_same_bytes(tmp_path):
    assert drive(tmp_path, "full", 100)["full"] >= 10


@pytest.mark.slow
def test_a_kill_at_every_step_leaves_whole_files_and_a_resumable_store(tmp_path):
    kills = drive(tmp_path, "steps", 1)

    assert min(kills.values()) >= 100


@pytest.mark.slow
def test_200_kills_at_random_moments_are_resumed_to_the_same_bytes(tmp_path):
    assert drive(tmp_path, "random", 200)["random"] >= 200


@pytest.mark.slow
def test_a_disk_full_at_any_byte_is_resumed_to_the_same_bytes(tmp_path):
    assert drive(tmp_path, "full", 7)["full"] >= 150
