"""kbert/io.py"""

import json
import os
import signal
import subprocess
import sys
import textwrap

import pytest

from kbert import io
from kbert.errors import ConfigError, InputError, OutputError


def run_python(code, *arguments):
    """Run ``code`` in a process of its own; give (exit code, stdout)."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=60)
    return done.returncode, done.stdout


# === One file ===


def test_write_text_and_json_write_utf_8(tmp_path):
    io.write_text(tmp_path / "a", "naïve\n")
    io.write_json(tmp_path / "b", {"ü": [1]})

    assert (tmp_path / "a").read_bytes() == b"na\xc3\xafve\n"
    assert json.loads((tmp_path / "b").read_bytes()) == {"ü": [1]}
    assert (tmp_path / "b").read_bytes().endswith(b"}\n")
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


def test_a_writer_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    io.write_text(tmp_path / "a", "old")
    with pytest.raises(KeyError), io.atomic_file(tmp_path / "a") as file:
        file.write(b"half of the n")
        raise KeyError

    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_the_file_is_not_there_before_the_block_ends(tmp_path):
    with io.atomic_file(tmp_path / "a") as file:
        file.write(b"new")

        assert not (tmp_path / "a").exists()
    assert (tmp_path / "a").read_bytes() == b"new"


# The disk is asked for something at six moments: before and after each of fsync of the
# file, rename, fsync of the folder.
DYING_WRITER = """
    import os, sys
    from kbert import io

    path, fatal = sys.argv[1], int(sys.argv[2])
    moments = 0

    def dying(real):
        def call(*arguments):
            global moments
            for step in (lambda: real(*arguments), lambda: None):
                if moments == fatal:
                    os._exit(9)
                moments += 1
                step()
        return call

    os.fsync, os.replace = dying(os.fsync), dying(os.replace)
    io.write_text(path, "new " * 1000)
    print(moments)
"""


@pytest.mark.parametrize("moment", range(6))
def test_a_kill_at_any_moment_leaves_the_old_file_or_the_new_one(tmp_path, moment):
    io.write_text(tmp_path / "a", "old")
    code, _ = run_python(DYING_WRITER, tmp_path / "a", moment)

    assert code == 9
    assert (tmp_path / "a").read_text() == ("old" if moment < 3 else "new " * 1000)


def test_what_a_kill_left_behind_is_found_and_removed(tmp_path):
    run_python(DYING_WRITER, tmp_path / "a", 1)

    assert [name.startswith(io.TEMPORARY) for name in os.listdir(tmp_path)] == [True]
    io.remove_temporaries(tmp_path)
    assert os.listdir(tmp_path) == []


def test_the_moments_of_the_dying_writer_are_all_of_them(tmp_path):
    assert run_python(DYING_WRITER, tmp_path / "a", -1) == (0, "6\n")


def test_a_full_disk_gives_one_error_that_names_the_file_and_keeps_the_old_one(
    tmp_path,
):
    io.write_text(tmp_path / "a", "old")
    code = """
        import resource, sys
        from kbert import io

        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
        try:
            io.write_bytes(sys.argv[1], bytes(1_000_000))
        except io.OutputError as error:
            print(error)
    """
    _, message = run_python(code, tmp_path / "a")

    assert message.startswith(f"{tmp_path / 'a'}: cannot be written: File too large")
    assert "MB are free there. Free some space" in message
    assert message.count("\n") == 1
    assert (tmp_path / "a").read_text() == "old"
    assert os.listdir(tmp_path) == ["a"]


def test_a_missing_folder_is_one_error_that_names_the_file(tmp_path):
    with pytest.raises(OutputError, match=r"no/a: cannot be written: No such file"):
        io.write_text(tmp_path / "no" / "a", "new")


# === One folder ===


def test_atomic_directory_appears_whole_with_its_parents(tmp_path):
    with io.atomic_directory(tmp_path / "x" / "d") as folder:
        (folder / "a").write_text("1")
        (folder / "sub").mkdir()

        assert not (tmp_path / "x" / "d").exists()
    assert sorted(os.listdir(tmp_path / "x" / "d")) == ["a", "sub"]
    assert os.listdir(tmp_path / "x") == ["d"]


def test_atomic_directory_takes_the_place_of_an_empty_folder(tmp_path):
    (tmp_path / "d").mkdir()
    with io.atomic_directory(tmp_path / "d") as folder:
        (folder / "a").write_text("1")

    assert os.listdir(tmp_path / "d") == ["a"]


@pytest.mark.parametrize("old_is_a_file", [False, True])
def test_atomic_directory_replaces_only_when_told(tmp_path, old_is_a_file):
    old = tmp_path / "d"
    if old_is_a_file:
        old.write_text("old")
    else:
        old.mkdir()
        (old / "old").write_text("old")
    with (
        pytest.raises(OutputError, match=r"/d: already exists\. .*--overwrite"),
        io.atomic_directory(old),
    ):
        pass

    assert os.listdir(tmp_path) == ["d"]
    with io.atomic_directory(old, overwrite=True) as folder:
        (folder / "new").write_text("new")
    assert os.listdir(old) == ["new"]
    assert os.listdir(tmp_path) == ["d"]


def test_an_atomic_directory_that_fails_leaves_the_old_one_and_nothing_else(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old").write_text("old")
    with (
        pytest.raises(KeyError),
        io.atomic_directory(tmp_path / "d", overwrite=True) as folder,
    ):
        (folder / "new").write_text("half")
        raise KeyError

    assert os.listdir(tmp_path / "d") == ["old"]
    assert os.listdir(tmp_path) == ["d"]


def test_a_folder_that_cannot_take_the_name_leaves_the_old_one(tmp_path, monkeypatch):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "old").write_text("old")
    real = os.replace

    def refuse(source, target):
        if source.name.endswith("-d") and target.name == "d":
            monkeypatch.setattr(os, "replace", real)
            raise PermissionError(1, "Operation not permitted")
        real(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with (
        pytest.raises(OutputError, match="/d: cannot be written: Operation not"),
        io.atomic_directory(tmp_path / "d", overwrite=True) as folder,
    ):
        (folder / "new").write_text("new")

    assert os.listdir(tmp_path / "d") == ["old"]
    assert os.listdir(tmp_path) == ["d"]


# === Before the work ===


def test_a_job_is_not_both_resumed_and_replaced():
    io.check_resume(resume=True, overwrite=False)
    io.check_resume(resume=False, overwrite=True)
    with pytest.raises(ConfigError, match=r"resume with overwrite: .* --overwrite to"):
        io.check_resume(resume=True, overwrite=True)


def test_no_folder_is_put_in_place_of_the_current_one(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path / "in")
    for path in (".", "", "..", tmp_path):
        with pytest.raises(
            OutputError, match="current folder, or above it, and cannot"
        ):
            io.check_replaceable(path)
    io.check_replaceable("out")
    io.check_replaceable("../beside")
    io.check_replaceable("/dev/null")


def test_no_folder_is_put_in_place_of_a_mount_point(tmp_path, monkeypatch):
    monkeypatch.setattr(io.os.path, "ismount", lambda path: path == tmp_path)
    with pytest.raises(OutputError, match="is a mount point, .* Name a folder inside"):
        io.check_replaceable(tmp_path)
    io.check_replaceable(tmp_path / "out")


def test_what_is_read_is_not_in_what_is_to_be_replaced(tmp_path):
    inside, beside = tmp_path / "out" / "in", tmp_path / "output.txt"
    inside.mkdir(parents=True)
    beside.write_text("")
    (tmp_path / "link").symlink_to(inside)
    io.refuse_inputs_inside(tmp_path / "out", [beside, "-", tmp_path / "out" / "no"])

    for path in (inside, tmp_path / "link", tmp_path / "out"):
        with pytest.raises(OutputError, match="is read, and --overwrite .* delete it"):
            io.refuse_inputs_inside(tmp_path / "out", [beside, path])


def test_a_place_with_or_without_its_folders_is_free(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path, "new", tmp_path / "no" / "where" / "a", "file"):
        io.check_place(place)

    assert os.listdir(tmp_path) == ["file"]


def test_a_place_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match=r"file/a/b: cannot be written: Not a direct"):
        io.check_place(tmp_path / "file" / "a" / "b")

    monkeypatch.setattr(os, "access", lambda path, mode: path != tmp_path)
    with pytest.raises(OutputError, match=r"/a/b: cannot be written: Permission denie"):
        io.check_place(tmp_path / "a" / "b")


# === Digests ===


def test_verify_file_accepts_what_file_entry_described(tmp_path):
    io.write_text(tmp_path / "a", "abc")
    entry = io.file_entry(tmp_path / "a")

    io.verify_file(tmp_path / "a", entry)
    assert entry == {
        "bytes": 3,  # and the SHA-256 of "abc" from FIPS 180-2, appendix B.1
        "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
    }


def test_verify_file_tells_missing_shortened_and_changed_apart(tmp_path):
    io.write_text(tmp_path / "a", "abc")
    entry = io.file_entry(tmp_path / "a")
    io.write_text(tmp_path / "short", "ab")
    io.write_text(tmp_path / "changed", "abd")

    with pytest.raises(InputError, match="no: is missing"):
        io.verify_file(tmp_path / "no", entry)
    with pytest.raises(InputError, match="short: 2 bytes; expected 3 bytes"):
        io.verify_file(tmp_path / "short", entry)
    with pytest.raises(InputError, match="changed: damaged: .* expected ba7816bf8f01"):
        io.verify_file(tmp_path / "changed", entry)


@pytest.mark.parametrize(
    "name", ["", "a\0b", ".", "..", "../a", "/etc/passwd", "sub/a", "a/", None, 3]
)
def test_child_refuses_names_that_lead_elsewhere(tmp_path, name):
    with pytest.raises(InputError, match="expected a plain file name"):
        io.child(tmp_path, name)


@pytest.mark.parametrize("name", ["a", "a.b", "...", ".hidden", "a b"])
def test_child_takes_plain_names(tmp_path, name):
    assert io.child(tmp_path, name) == tmp_path / name


# === Lock ===

HOLDER = """
    import sys, time
    from kbert import io

    with io.lock(sys.argv[1]):
        print("held", flush=True)
        time.sleep(60)
"""


def test_a_lock_keeps_other_processes_out_until_its_owner_is_killed(tmp_path):
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(OutputError, match=f"in use by process {holder.pid}"),
            io.lock(tmp_path),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait(timeout=10)

    with io.lock(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_a_lock_is_free_again_after_its_block_even_one_that_fails(tmp_path):
    with pytest.raises(KeyError), io.lock(tmp_path):
        raise KeyError
    with io.lock(tmp_path):
        pass

    assert os.listdir(tmp_path) == []


def test_a_lock_in_a_missing_folder_names_the_folder(tmp_path):
    with pytest.raises(OutputError, match="/no/"), io.lock(tmp_path / "no"):
        pass


def test_a_copied_folder_takes_the_place_of_the_old_one(tmp_path):
    (tmp_path / "new" / "inner").mkdir(parents=True)
    (tmp_path / "new" / "inner" / "a.txt").write_text("a")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "b.txt").write_text("b")
    io.copy_folder(tmp_path / "new", tmp_path / "old")

    assert [one.name for one in (tmp_path / "old").rglob("*.txt")] == ["a.txt"]
    assert (tmp_path / "new" / "inner" / "a.txt").exists()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["new", "old"]
