"""The secret: make, derive, store, name and measure a key.

Paper, section 4.3: a key is as long as the input and drawn i.i.d. from N(0, 1). Here it is N float64 values
made from the operating system's entropy, so nothing shorter than the key itself determines it. A seed for a
pseudo-random generator is not a key: torch.manual_seed(42) has a few bits of entropy, not 6413.

What a key is worth is the number of different secrets that an attacker has to tell apart. A permutation uses
only the order of its values, so a random key of length N is worth log2(N!) bits to it, and no transform uses more
(each says how much: Transform.entropy_bits); a derived key is worth the length of the secret behind it, however
long the key is.
"""

import hashlib
import json
import math
import os
import random
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from kerckhoffs import places
from kerckhoffs.checks import FileRefused

FORMAT = "kerckhoffs-key-1"
SECRET_BYTES = 32  # what HKDF-SHA256 and ChaCha20 carry: a longer secret adds nothing
WITHOUT_WAITING = getattr(os, "O_NONBLOCK", 0)  # for a pipe; Windows has none among its files
MASTER_LENGTH = 64  # values of a master key: their 2^296 orders are more than the 256 bits that a child can carry
_MAX_FILE_BYTES = 64 * 2**20
_MAX_LENGTH = 2**21  # what a file of that size holds: three channels of 836 x 836


@dataclass(frozen=True, eq=False)
class Key:
    """A secret key: float64 (N,), finite. Printing it shows its fingerprint, never its values.

    Args:
        values: float64 (N,), N >= 2.
        secret_bits: the entropy in bits of the secret that it was derived from; None for a random key.

    Raises:
        ValueError: if the values are not what is said above.
    """

    values: NDArray[np.float64] = field(repr=False)
    secret_bits: int | None = None

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        if values.ndim != 1 or len(values) < 2:
            raise ValueError(f"a key is a vector of at least 2 values, but this has shape {values.shape}")
        if not np.isfinite(values).all():
            raise ValueError("a key must be finite, but this one holds NaN or infinite values")
        if self.secret_bits is not None and not 1 <= self.secret_bits <= 8 * SECRET_BYTES:
            raise ValueError(f"secret_bits must be between 1 and {8 * SECRET_BYTES}, but is {_short(self.secret_bits)}")
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

    @classmethod
    def generate(cls, length: int) -> "Key":
        """Draw `length` values i.i.d. from N(0, 1) with the operating system's entropy (paper, section 4.3)."""
        _check_length(length)
        system = random.SystemRandom()
        return cls(np.array([system.normalvariate(0.0, 1.0) for _ in range(length)]))

    @classmethod
    def derive(cls, secret: bytes, length: int, context: str) -> "Key":
        """Derive one of many keys from a short master secret.

        HKDF-SHA256 (RFC 5869) turns the secret and the context into a ChaCha20 (RFC 8439) key, whose
        keystream is read as uniform numbers and mapped to N(0, 1). The same secret and context give the
        same key; two contexts give keys that tell nothing of each other. The entropy is that of the secret.

        Args:
            secret: 16 to 32 bytes, uniformly random. A password is not such a secret.
            length: the number of values.
            context: what the key is for, for example "mnist-table2-keyed, channel 3".

        Raises:
            ValueError: on a secret or length that is out of range.
        """
        _check_length(length)
        if not 16 <= len(secret) <= SECRET_BYTES:
            raise ValueError(f"secret must have 16 to {SECRET_BYTES} bytes, but has {len(secret)}")
        info = f"{FORMAT}, {length} values: {context}".encode()
        stream_key = HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(secret)
        stream = Cipher(algorithms.ChaCha20(stream_key, bytes(16)), mode=None).encryptor().update(bytes(8 * length))
        # 52 bits and a half: exact in float64, and strictly between 0 and 1
        uniform = ((np.frombuffer(stream, dtype="<u8") >> 12) + 0.5) / 2.0**52
        normal = NormalDist()
        return cls(np.array([normal.inv_cdf(float(u)) for u in uniform]), secret_bits=8 * len(secret))

    def child(self, length: int, context: str) -> "Key":
        """One of many keys that this one, as a master secret of at most 256 bits, stands for.

        The secret is the SHA-256 of the values (of another message than the fingerprint's, which is public), and the
        child is what `Key.derive` makes of it; its entropy is that of the secret that this key was derived from, if it
        was.

        Args:
            length: the number of values.
            context: what the key is for; two contexts give keys that tell nothing of each other.
        """
        secret = hashlib.sha256(b"kerckhoffs master " + self.values.astype("<f8").tobytes()).digest()
        child = Key.derive(secret, length, context)
        return child if self.secret_bits is None else replace(child, secret_bits=self.secret_bits)

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"Key(length={len(self)}, fingerprint={self.fingerprint!r})"

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that name the key and do not reveal it: a truncated SHA-256 of values and origin."""
        origin = b"" if self.secret_bits is None else f" derived from {self.secret_bits} bits".encode()
        return hashlib.sha256(FORMAT.encode() + self.values.astype("<f8").tobytes() + origin).hexdigest()[:32]

    @property
    def entropy_bits(self) -> float:
        """The entropy in bits: log2(N!) orders of N values, or the secret's length if that is less."""
        orders = math.lgamma(len(self) + 1) / math.log(2)
        return orders if self.secret_bits is None else min(orders, float(self.secret_bits))

    @property
    def origin(self) -> str:
        """What the entropy rests on, in words."""
        if self.secret_bits is None:
            return "drawn value by value from the operating system's entropy"
        return f"derived from a master secret of {self.secret_bits} bits"

    def permutation(self) -> NDArray[np.int64]:
        """The order of the values, argsort(k): int64 (N,), a permutation of 0..N-1."""
        return np.argsort(self.values, kind="stable")

    def save(self, path: str | Path, *, public: bool = False) -> Path:
        """Write the key to a new file that only its owner can read (mode 0600).

        Args:
            path: where; missing folders are made. An existing file is never overwritten.
            public: True only for demonstration keys, which everyone may read (mode 0644).

        Raises:
            FileRefused: if the file exists or cannot be written.
        """
        path = Path(path)
        record = {
            "format": FORMAT,
            "public": public,
            "length": len(self),
            "secret_bits": self.secret_bits,
            "fingerprint": self.fingerprint,
            "values": self.values.tolist(),
        }
        text = json.dumps(record, indent=None)
        mode = 0o644 if public else 0o600
        try:
            places.make_folder(path.parent, private=not public)
        except OSError as error:
            raise FileRefused(f"cannot write the key to {path}: {error.strerror}") from error
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        except FileExistsError as error:
            raise FileRefused(f"{path} exists already; a key is never overwritten") from error
        except OSError as error:
            raise FileRefused(f"cannot write the key to {path}: {error.strerror}") from error
        try:
            with os.fdopen(descriptor, "w") as file:
                if hasattr(os, "fchmod"):  # not on Windows, where the folder's access list decides
                    os.fchmod(file.fileno(), mode)
                file.write(text)
        except BaseException as error:
            path.unlink(missing_ok=True)  # never half a key
            if isinstance(error, OSError):
                raise FileRefused(f"cannot write the key to {path}: {error.strerror}") from error
            raise
        return path

    @classmethod
    def load(cls, path: str | Path, *, length: int | None = None, public: bool = False) -> "Key":
        """Read a key that `save` wrote.

        Args:
            path: the file.
            length: refuse a key of another length.
            public: True only for demonstration keys: do not insist that nobody else can read the file.

        Raises:
            FileRefused: if the file is missing, readable by others, malformed or of the wrong length.
        """
        path = Path(path)
        text = _read(path, public=public)
        key = cls._parse(text, path)
        if length is not None and len(key) != length:
            raise FileRefused(f"the key {path} has {len(key)} values, but {length} are needed")
        return key

    @classmethod
    def _parse(cls, text: bytes, path: Path) -> "Key":
        try:
            record = json.loads(text)
            if record["format"] != FORMAT:
                raise ValueError(f"its format is {_short(record['format'])}, not {FORMAT!r}")
            values, bits = record["values"], record["secret_bits"]
            if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
                raise ValueError("its values are not a list of numbers")
            if bits is not None and type(bits) is not int:
                raise ValueError(f"its secret_bits is {_short(bits)}")
            if len(values) != record["length"]:
                raise ValueError(f"it holds {len(values)} values and says {record['length']}")
            key = cls(np.array(values, dtype=np.float64), secret_bits=bits)
            if key.fingerprint != record["fingerprint"]:
                raise ValueError("its values do not match its fingerprint")
        except KeyError as error:
            raise FileRefused(f"{path} is not a key file: it has no {error.args[0]!r}") from error
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            reason = "it is not JSON" if isinstance(error, json.JSONDecodeError | UnicodeDecodeError) else str(error)
            raise FileRefused(f"{path} is not a key file: {reason}") from error
        return key


def _short(value: object) -> str:
    """A value from outside, for a message of one line."""
    if isinstance(value, int) and value.bit_length() > 64:
        return f"a number of {value.bit_length()} bits"
    text = repr(value)
    return text if len(text) <= 40 else text[:39] + "…"


def _check_length(length: int) -> None:
    if not 2 <= length <= _MAX_LENGTH:
        raise ValueError(f"length must be between 2 and {_MAX_LENGTH}, but is {length}")


def load_secret(path: str | Path) -> bytes:
    """Read the master secret of `Key.derive` from a file of 16 to 32 random bytes that only its owner can read.

    Raises:
        FileRefused: if the file is missing, readable by others, or too short or too long.
    """
    secret = _read(Path(path), public=False)
    if not 16 <= len(secret) <= SECRET_BYTES:
        raise FileRefused(f"the master secret {path} must have 16 to {SECRET_BYTES} bytes, but has {len(secret)}")
    return secret


def _read(path: Path, *, public: bool) -> bytes:
    """The bytes of a secret file, which nobody but its owner may be able to read unless it is public."""
    try:
        with open(os.open(path, os.O_RDONLY | WITHOUT_WAITING), "rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode) or state.st_size > _MAX_FILE_BYTES:
                raise FileRefused(f"{path} is not a key file")
            if not public and os.name == "posix" and state.st_mode & 0o077:
                mode = stat.S_IMODE(state.st_mode)
                raise FileRefused(f"{path} has mode {mode:04o}, so others can read the secret; run: chmod 600 {path}")
            return file.read()
    except OSError as error:
        raise FileRefused(f"cannot read the key {path}: {error.strerror}") from error
