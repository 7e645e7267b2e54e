"""Passphrases on the command line: typed unseen, or read from a file; never arguments, which all processes can see."""

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from kerckhoffs import keys
from kerckhoffs.checks import FileRefused

PassphraseFile = Annotated[
    Path | None,
    typer.Option(
        "--passphrase-file",
        help="Read the passphrase from this file's first line, or from standard input (-), and do not ask for it.",
    ),
]


_files: list[Path | None] = []


@contextmanager
def asking(file: Path | None) -> Iterator[None]:
    """Where a locked key is needed inside, its passphrase comes from the file, or from whoever sits at the terminal."""
    _files.append(file or _given())
    try:
        with keys.asking(of):
            yield
    finally:
        _files.pop()


def of(key: Path, file: Path | None = None) -> str:
    """The passphrase of a key's file.

    Args:
        file: that holds it; that of `asking` by default.

    Raises:
        FileRefused: if there is neither a file nor a terminal, or the file cannot be used.
    """
    if file := file or _given():
        return _read(file)
    _need_terminal(f"the key {key} is locked with a passphrase")
    return getpass.getpass(f"Passphrase of {key.name}: ")


def new(file: Path | None = None) -> str:
    """A new passphrase, typed twice or read from a file.

    Args:
        file: that holds it; that of `asking` by default.

    Raises:
        ValueError: if it is too short, or what was typed differs.
        FileRefused: as `of` does.
    """
    if file := file or _given():
        return keys.locked.check_new(_read(file))
    _need_terminal("a new passphrase is needed")
    typed = keys.locked.check_new(getpass.getpass("New passphrase: "))
    if getpass.getpass("The same again: ") != typed:
        raise ValueError("the two passphrases differ; nothing was changed")
    return typed


def _given() -> Path | None:
    return _files[-1] if _files else None


def _need_terminal(why: str) -> None:
    if not sys.stdin.isatty():
        raise FileRefused(f"{why}, and there is no terminal to ask at: give --passphrase-file FILE")


def _read(file: Path) -> str:
    text = sys.stdin.buffer.readline() if str(file) == "-" else keys.files.read(file, what="passphrase")
    try:
        line = text.decode().partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError as error:
        raise FileRefused(f"the passphrase in {file} is not UTF-8") from error
    if not line:
        raise FileRefused(f"there is no passphrase in the first line of {file}")
    return line
