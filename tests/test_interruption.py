"""kbert/interruption.py"""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from kbert.errors import Stopped
from kbert.interruption import stop_between_steps

SIGNALS = [signal.SIGINT, signal.SIGTERM]

CHILD = textwrap.dedent(
    """
    import sys, time
    from kbert.errors import Stopped
    from kbert.interruption import stop_between_steps

    with stop_between_steps("Run it again with --resume.") as check:
        print("ready", flush=True)
        try:
            for step in range(1000):
                time.sleep(float(sys.argv[1]))
                print(f"step {step}", flush=True)
                check()
        except Stopped as error:
            print(error, flush=True)
            sys.exit(1)
    """
)


def start_child(seconds_a_step):
    command = [sys.executable, "-c", CHILD, str(seconds_a_step)]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout.readline() == "ready\n"
    return child


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_lets_the_step_end_and_then_stops_with_the_way_to_resume(number):
    with start_child(0.2) as child:
        child.send_signal(number)
        lines = child.stdout.read().splitlines()

    assert lines[0] == "step 0"
    assert lines[1:] == [f"stopped by {number.name}. Run it again with --resume."]
    assert child.returncode == 1


@pytest.mark.parametrize("number", SIGNALS)
def test_a_second_signal_ends_the_process_at_once(number):
    with start_child(60) as child:
        started = time.monotonic()
        child.send_signal(signal.SIGINT)
        time.sleep(0.2)  # else the kernel may deliver the second one first
        child.send_signal(number)
        child.wait(timeout=10)

    assert child.returncode == -number
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("number", SIGNALS)
def test_the_handlers_of_before_are_restored(number):
    before = [signal.getsignal(one) for one in SIGNALS]
    with pytest.raises(Stopped), stop_between_steps("Go on.") as check:
        os.kill(os.getpid(), number)
        check()

    assert [signal.getsignal(one) for one in SIGNALS] == before


def test_check_is_silent_while_nobody_asks():
    with stop_between_steps("Go on.") as check:
        assert check() is None


def test_other_threads_leave_the_signals_alone():
    seen = []

    def work():
        with stop_between_steps("Go on.") as check:
            seen.append([signal.getsignal(one) for one in SIGNALS])
            check()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

    assert seen == [[signal.getsignal(one) for one in SIGNALS]]


@pytest.mark.parametrize("number", SIGNALS)
def test_what_comes_too_late_for_the_inner_block_stops_the_outer_one(number):
    with pytest.raises(Stopped, match="Outer"), stop_between_steps("Outer.") as check:
        check()
        with stop_between_steps("Inner."):
            os.kill(os.getpid(), number)
        check()
