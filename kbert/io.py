"""The one place that writes files: temporary name, flush, fsync, rename, digest.

A name that exists is whole: readers never see half a file, and a crash at any moment
leaves either the old file or the new one. Leftovers carry ``TEMPORARY`` in their name.
"""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from .errors import ConfigError, InputError, OutputError

TEMPORARY = ".kbert-tmp-"
MANIFEST = "manifest.json"
_LOCK = ".kbert-lock"


def _temporary(path: Path) -> Path:
    return path.with_name(f"{TEMPORARY}{os.getpid()}-{path.name}")


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a directory's entries, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _output_error(path: Path, error: OSError) -> OutputError:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    hint = "Free some space, then run the same command again." if full else None
    with contextlib.suppress(OSError):
        if full:
            free = shutil.disk_usage(path.parent).free
            hint = f"{free / 1e6:.1f} MB are free there. {hint}"
    reason = error.strerror or str(error)
    return OutputError(f"cannot be written: {reason}", where=path, hint=hint)


@contextlib.contextmanager
def writing(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn an operating-system error inside the block into one that names ``path``."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise _output_error(Path(path), error) from error


@contextlib.contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; rename it at the end.

    For libraries that open files by name. Raises ``OutputError`` if the disk says no.
    """
    path = Path(path)
    temporary = _temporary(path)
    with writing(path):
        try:
            yield temporary
            sync(temporary)
            os.replace(temporary, path)
            sync(path.parent)
        except BaseException:
            remove(temporary)
            raise


@contextlib.contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open ``path`` for writing bytes; it appears, whole, when the block ends."""
    with atomic_path(path) as temporary, open(temporary, "wb") as file:
        yield file
        file.flush()


@contextlib.contextmanager
def atomic_directory(
    path: str | os.PathLike[str], *, overwrite: bool = False
) -> Iterator[Path]:
    """Give a temporary folder to fill; it gets the name ``path`` when the block ends.

    To replace a folder takes two renames: a crash between them leaves the old one and
    the new one, both whole, under temporary names beside ``path``.

    Raises:
        OutputError: ``path`` exists and is not an empty folder, and ``overwrite`` is
            false; or the disk says no.
    """
    path = Path(path)
    refuse_existing(path, overwrite=overwrite)
    check_replaceable(path)
    temporary = _temporary(path)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.mkdir()
            yield temporary
            for entry in sorted(temporary.rglob("*")):
                sync(entry)
            sync(temporary)
            _put_in_place(temporary, path)
        except BaseException:
            remove(temporary)
            raise


def _put_in_place(folder: Path, path: Path) -> None:
    """Give ``folder`` the name ``path``; what stood there is deleted last."""
    replaced = _temporary(path).with_suffix(".replaced")
    if path.exists():
        os.replace(path, replaced)
    try:
        os.replace(folder, path)
    except OSError:
        if replaced.exists():
            os.replace(replaced, path)
        raise
    sync(path.parent)
    remove(replaced)


def refuse_existing(path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Raise ``OutputError`` if something that matters already stands at ``path``."""
    path = Path(path)
    if overwrite or not path.exists():
        return
    if not path.is_dir() or any(path.iterdir()):
        raise OutputError(
            "already exists",
            where=path,
            hint="Choose another output, or replace it with --overwrite "
            "(overwrite=True in Python).",
        )


def refuse_inputs_inside(
    output: str | os.PathLike[str], inputs: Iterable[str | os.PathLike[str]]
) -> None:
    """Raise ``OutputError`` if replacing ``output`` would delete what is read.

    Args:
        output: that is to be replaced.
        inputs: files and folders; names of anything else, such as ``"-"``, are ignored.
    """
    folder = Path(output).resolve()
    for name in inputs:
        path = Path(name)
        if path.exists() and path.resolve().is_relative_to(folder):
            raise OutputError(
                "is read, and --overwrite (overwrite=True in Python) would delete it",
                where=path,
                hint=f"It is in {os.fspath(output)}: choose another output.",
            )


def check_replaceable(path: str | os.PathLike[str]) -> None:
    """Raise ``OutputError`` if no new folder can be put in the place of ``path``.

    For folders that get their name by a rename, when they are whole.
    """
    place = Path(path).resolve()
    if place.is_dir() and Path.cwd().is_relative_to(place):
        what = "is the current folder, or above it"
    elif os.path.ismount(place):
        what = "is a mount point"
    else:
        return
    raise OutputError(
        f"{what}, and cannot be replaced",
        where=os.fspath(path) or ".",
        hint="Name a folder inside it.",
    )


def check_resume(*, resume: bool, overwrite: bool) -> None:
    """Raise ``ConfigError`` if a job is both to go on and to be replaced."""
    if resume and overwrite:
        raise ConfigError(
            "resume with overwrite: one goes on with what the other deletes",
            hint="Leave out --overwrite to go on, or --resume to begin anew.",
        )


def check_place(path: str | os.PathLike[str]) -> None:
    """Raise ``OutputError`` if nothing can be made at ``path``, even with its parents.

    For outputs that take long to compute; what stands there is not looked at.
    """
    path = Path(path)
    with writing(path):
        places = [path] if path.is_dir() else Path(os.path.abspath(path)).parents
        place = next(one for one in places if one.exists())
        if not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(place, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def remove(path: Path) -> None:
    """Delete a file or a folder, or nothing if there is none."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_temporaries(directory: Path) -> None:
    """Delete what a killed run left half-written in ``directory``."""
    for leftover in directory.glob(f"{TEMPORARY}*"):
        remove(leftover)


def copy_folder(source: str | os.PathLike[str], path: str | os.PathLike[str]) -> None:
    """Put a copy of a folder at ``path``, in place of what stands there."""
    with atomic_directory(path, overwrite=True) as folder:
        shutil.copytree(source, folder, dirs_exist_ok=True)


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a whole file at once."""
    with atomic_file(path) as file:
        file.write(content)


def write_text(path: str | os.PathLike[str], content: str) -> None:
    """Write a whole UTF-8 file at once."""
    write_bytes(path, content.encode("utf-8"))


def append_text(path: str | os.PathLike[str], content: str) -> None:
    """Add to the end of a UTF-8 file; a crash can cut off what was added."""
    with writing(path), open(path, "ab") as file:
        file.write(content.encode("utf-8"))
        file.flush()
        os.fsync(file.fileno())


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write ``content`` as indented JSON with a final newline."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def digest(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's bytes, in hexadecimal."""
    sha = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()


def file_entry(path: Path) -> dict[str, Any]:
    """What a manifest says of one file: ``{"bytes": …, "sha256": …}``."""
    return {"bytes": path.stat().st_size, "sha256": digest(path)}


def verify_file(path: Path, entry: dict[str, Any]) -> None:
    """Raise ``InputError`` unless ``path`` is the file that ``entry`` describes."""
    again = "Copy it again from its source, or make it anew."
    if not path.is_file():
        raise InputError("is missing", where=path, hint=again)
    size = path.stat().st_size
    if size != entry["bytes"]:
        expected = f"{entry['bytes']} bytes as in its manifest"
        raise InputError(f"{size} bytes", where=path, expected=expected, hint=again)
    found = digest(path)
    if found != entry["sha256"]:
        raise InputError(
            f"damaged: SHA-256 {found[:12]}…",
            where=path,
            expected=f"{entry['sha256'][:12]}… as in its manifest",
            hint=again,
        )


def child(directory: Path, name: str) -> Path:
    """The path of ``name`` in ``directory``, if it is one plain file name.

    Raises:
        InputError: ``name``, read from a file, points somewhere else.
    """
    plain = isinstance(name, str) and name == PurePosixPath(name).name
    if not plain or name in ("", "..") or "\0" in name:
        raise InputError(
            f"names the file {name!r}",
            where=directory,
            expected="a plain file name inside this folder",
        )
    return directory / name


def _open_lock(path: Path) -> int:
    """Open and lock ``path``, and be sure that it is still the file of that name."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.exists(path) and os.path.samestat(
                os.fstat(descriptor), os.stat(path)
            ):
                return descriptor
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise OutputError(
                f"in use by process {holder or 'unknown'}",
                where=path.parent,
                hint="Wait for it to end, or choose another output.",
            ) from None
        os.close(descriptor)


@contextlib.contextmanager
def lock(directory: str | os.PathLike[str]) -> Iterator[None]:
    """Hold ``directory`` for this process; the kernel lets go if the process dies.

    Raises:
        OutputError: another process holds it.
    """
    path = Path(directory) / _LOCK
    with writing(path):
        descriptor = _open_lock(path)
    try:
        with writing(path):
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        path.unlink(missing_ok=True)
        os.close(descriptor)
