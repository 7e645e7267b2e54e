"""A key at rest: its values encrypted with a passphrase, and all else of the file authenticated.

    file key = scrypt(passphrase, salt; n, r, p)                         RFC 7914
    locked   = ChaCha20-Poly1305(file key, nonce, values; header)         RFC 8439

Who has the file alone has to try passphrases, each at the price of one scrypt: what a stolen file is worth to them is
the passphrase's entropy, not the key's. The file key is compared with nothing: a wrong passphrase is noticed where the
tag does not fit, after the whole work, and cannot be told from a file that was tampered with.

A file is taken only as `seal` writes it, byte for byte, so that nothing in it can be changed unnoticed. What it asks
for is bounded before it is done: a hostile file costs no more memory than MOST_MEMORY.
"""

import json
import os
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import files, measures

FORMAT = "kerckhoffs-locked-key-1"
CIPHER = "ChaCha20-Poly1305"
SALT_BYTES, NONCE_BYTES, TAG_BYTES = 16, 12, 16
MOST_MEMORY = 2**28  # bytes that scrypt may take: 128 n r
MOST_REPEATS = 4
SHORTEST = 8  # characters of a new passphrase
FIELDS = ("format", "public", "fingerprint", "length", "secret_bits", "kdf", "salt", "cipher", "nonce", "locked")


@dataclass(frozen=True)
class Cost:
    """What a try of a passphrase costs: scrypt's n, r and p. By default 128 MiB and some tenths of a second.

    Args:
        n: a power of two; the memory is 128 n r bytes, at most MOST_MEMORY.
        r, p: block size and repetitions.

    Raises:
        ValueError: on numbers out of range.
    """

    n: int = 2**17
    r: int = 8
    p: int = 1

    def __post_init__(self) -> None:
        if any(type(each) is not int for each in (self.n, self.r, self.p)):
            raise ValueError("the numbers of scrypt must be whole")
        if not 2 <= self.n <= MOST_MEMORY or self.n & (self.n - 1):
            raise ValueError(f"scrypt's n must be a power of two, but is {files.short(self.n)}")
        if not 1 <= self.r <= 32 or 128 * self.n * self.r > MOST_MEMORY:
            raise ValueError(f"scrypt must take at most {MOST_MEMORY // 2**20} MiB, but n is {self.n} and r {self.r}")
        if not 1 <= self.p <= MOST_REPEATS:
            raise ValueError(f"scrypt's p must be between 1 and {MOST_REPEATS}, but is {files.short(self.p)}")


@dataclass(frozen=True)
class Header:
    """What a locked file says of its key to everyone; it is known to be true when the passphrase has opened it."""

    fingerprint: str
    length: int
    secret_bits: int | None


@dataclass(frozen=True)
class Sealed:
    """A locked file, read and not opened."""

    header: Header
    cost: Cost
    salt: bytes
    nonce: bytes
    locked: bytes

    def open(self, passphrase: str) -> bytes | None:
        """The values as bytes; None if the passphrase is wrong or anything was tampered with."""
        try:
            return ChaCha20Poly1305(_file_key(passphrase, self.salt, self.cost)).decrypt(
                self.nonce, self.locked, _authenticated(self)
            )
        except InvalidTag:
            return None

    def write(self) -> bytes:
        """The file."""
        return _text(_record(self) | {"locked": self.locked.hex()})


def check_new(passphrase: str) -> str:
    """Refuse a new passphrase that is too short.

    Raises:
        ValueError: saying so.
    """
    if len(passphrase) < SHORTEST:
        raise ValueError(f"the passphrase must have at least {SHORTEST} characters, better six words drawn at random")
    return passphrase


def seal(header: Header, values: bytes, passphrase: str, cost: Cost) -> bytes:
    """A locked file: the values encrypted with a fresh salt and nonce from the operating system's entropy.

    Raises:
        ValueError: if the passphrase is too short.
    """
    blank = Sealed(header, cost, os.urandom(SALT_BYTES), os.urandom(NONCE_BYTES), b"")
    cipher = ChaCha20Poly1305(_file_key(check_new(passphrase), blank.salt, cost))
    locked = cipher.encrypt(blank.nonce, values, _authenticated(blank))
    return Sealed(header, cost, blank.salt, blank.nonce, locked).write()


def is_sealed(text: bytes) -> bool:
    """Whether a file says that it is a locked key."""
    return f'"{FORMAT}"'.encode() in text[:64]


def read(text: bytes) -> Sealed:
    """A locked file.

    Raises:
        ValueError: saying in a few words what is wrong with it.
    """
    found = files.record(text, FORMAT)
    if tuple(found) != FIELDS:
        raise ValueError(f"its fields are not {', '.join(FIELDS)}")
    kdf = found["kdf"]
    if not isinstance(kdf, dict) or set(kdf) != {"name", "n", "r", "p"} or kdf["name"] != "scrypt":
        raise ValueError("its passphrase is not stretched with scrypt")
    if found["cipher"] != CIPHER or found["public"] is not False:
        raise ValueError(f"it is not locked with {CIPHER}")
    length, bits = found["length"], found["secret_bits"]
    if type(length) is not int or type(bits) not in (int, type(None)):
        raise ValueError("its length or its secret_bits is no number")
    if not isinstance(found["fingerprint"], str) or not re.fullmatch("[0-9a-f]{32}", found["fingerprint"]):
        raise ValueError("its fingerprint is not 32 hexadecimal digits")
    measures.check_length(length)
    measures.check_secret_bits(bits)
    cost = Cost(kdf["n"], kdf["r"], kdf["p"])
    salt, nonce, locked = (_bytes(found, name) for name in ("salt", "nonce", "locked"))
    if (len(salt), len(nonce), len(locked)) != (SALT_BYTES, NONCE_BYTES, 8 * length + TAG_BYTES):
        raise ValueError("its salt, nonce or values have another length than they must")
    sealed = Sealed(Header(found["fingerprint"], length, bits), cost, salt, nonce, locked)
    if sealed.write() != text:
        raise ValueError("it was changed after it was written")
    return sealed


def header(text: bytes, name: object) -> Header:
    """What a locked file says of its key.

    Raises:
        FileRefused: if it is malformed.
    """
    try:
        return read(text).header
    except ValueError as error:
        raise FileRefused(f"{name} is not a key file: {error}") from error


def _bytes(found: dict[str, Any], name: str) -> bytes:
    try:
        return bytes.fromhex(found[name])
    except (TypeError, ValueError) as error:
        raise ValueError(f"its {name} is not hexadecimal") from error


def _file_key(passphrase: str, salt: bytes, cost: Cost) -> bytes:
    """32 bytes. However a keyboard composes its letters, the same passphrase is the same (Unicode's NFC)."""
    typed = unicodedata.normalize("NFC", passphrase).encode("utf-8", "surrogatepass")
    return Scrypt(salt=salt, length=32, n=cost.n, r=cost.r, p=cost.p).derive(typed)


def _record(sealed: Sealed) -> dict[str, Any]:
    """All of a file but the values."""
    return {
        "format": FORMAT,
        "public": False,
        "fingerprint": sealed.header.fingerprint,
        "length": sealed.header.length,
        "secret_bits": sealed.header.secret_bits,
        "kdf": {"name": "scrypt", "n": sealed.cost.n, "r": sealed.cost.r, "p": sealed.cost.p},
        "salt": sealed.salt.hex(),
        "cipher": CIPHER,
        "nonce": sealed.nonce.hex(),
    }


def _authenticated(sealed: Sealed) -> bytes:
    return _text(_record(sealed))


def _text(record: dict[str, Any]) -> bytes:
    return json.dumps(record).encode()
