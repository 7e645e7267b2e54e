"""The secret: make, derive, store, name and measure a key.

Paper, section 4.3: a key is as long as the input and drawn i.i.d. from N(0, 1). Here it is N float64 values
made from the operating system's entropy, so nothing shorter than the key itself determines it. A seed for a
pseudo-random generator is not a key: torch.manual_seed(42) has a few bits of entropy, not 6413.
"""

import hashlib
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import files, locked, measures
from kerckhoffs.keys.files import short
from kerckhoffs.keys.locked import Cost, Header
from kerckhoffs.keys.measures import SECRET_BYTES

FORMAT = "kerckhoffs-key-1"
MASTER_LENGTH = 64  # values of a master key: their 2^296 orders are more than the 256 bits that a child can carry
USUAL = Cost()


class KeyLocked(FileRefused):
    """A key file that is locked with a passphrase, where none was given.

    Args:
        path: the file.
        fingerprint: what it says is that of its key.
    """

    def __init__(self, path: str | Path, fingerprint: str) -> None:
        self.path, self.fingerprint = Path(path), fingerprint
        super().__init__(
            f"the key {path} is locked with a passphrase; unlock it for as long as the program runs in the app's key "
            f"lab or with keys.unlock, or for good with: kerckhoffs key unlock {fingerprint}"
        )


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
        measures.check_secret_bits(self.secret_bits)
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

    @classmethod
    def generate(cls, length: int) -> "Key":
        """Draw `length` values i.i.d. from N(0, 1) with the operating system's entropy (paper, section 4.3)."""
        measures.check_length(length)
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
        measures.check_length(length)
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

    def __reduce__(self) -> tuple[type["Key"], tuple[NDArray[np.float64], int | None]]:
        return Key, (self.values, self.secret_bits)  # to a worker, over its pipe: again unchangeable there

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
        return measures.entropy_bits(len(self), self.secret_bits)

    @property
    def origin(self) -> str:
        """What the entropy rests on, in words."""
        return measures.origin(self.secret_bits)

    def permutation(self) -> NDArray[np.int64]:
        """The order of the values, argsort(k): int64 (N,), a permutation of 0..N-1."""
        return np.argsort(self.values, kind="stable")

    def save(
        self, path: str | Path, *, public: bool = False, passphrase: str | None = None, cost: Cost = USUAL
    ) -> Path:
        """Write the key to a new file that only its owner can read (mode 0600).

        Args:
            path: where; missing folders are made. An existing file is never overwritten.
            public: True only for demonstration keys, which everyone may read (mode 0644).
            passphrase: lock the file with it (kerckhoffs/keys/locked.py); it is then needed to read the key.
            cost: of a try of the passphrase.

        Raises:
            ValueError: if the passphrase is too short, or the key is public and has one.
            FileRefused: if the file exists or cannot be written.
        """
        return files.write_new(Path(path), self.write(public=public, passphrase=passphrase, cost=cost), public=public)

    def write(self, *, public: bool = False, passphrase: str | None = None, cost: Cost = USUAL) -> bytes:
        """What `save` writes."""
        if passphrase is not None:
            if public:
                raise ValueError("a public key has no passphrase")
            header = Header(self.fingerprint, len(self), self.secret_bits)
            return locked.seal(header, self.values.astype("<f8").tobytes(), passphrase, cost)
        record = {
            "format": FORMAT,
            "public": public,
            "length": len(self),
            "secret_bits": self.secret_bits,
            "fingerprint": self.fingerprint,
            "values": self.values.tolist(),
        }
        return json.dumps(record).encode()

    @classmethod
    def load(
        cls, path: str | Path, *, length: int | None = None, public: bool = False, passphrase: str | None = None
    ) -> "Key":
        """Read a key that `save` wrote.

        Args:
            path: the file.
            length: refuse a key of another length.
            public: True only for demonstration keys: do not insist that nobody else can read the file.
            passphrase: of a locked file; another file needs none.

        Raises:
            KeyLocked: if the file is locked and there is no passphrase.
            FileRefused: if the file is missing, readable by others, malformed or of the wrong length, or if the
                passphrase is wrong or the file was tampered with, which nobody can tell apart.
        """
        path = Path(path)
        key = cls.read(files.read(path, public=public), path, passphrase)
        if length is not None and len(key) != length:
            raise FileRefused(f"the key {path} has {len(key)} values, but {length} are needed")
        return key

    @classmethod
    def read(cls, text: bytes, name: str | Path, passphrase: str | None = None) -> "Key":
        """The key of a file's bytes.

        Args:
            name: what to call the file in sentences.

        Raises:
            FileRefused: as `load` does.
        """
        try:
            return cls._open(text, name, passphrase) if locked.is_sealed(text) else cls._parse(text)
        except KeyError as error:
            raise FileRefused(f"{name} is not a key file: it has no {error.args[0]!r}") from error
        except FileRefused:
            raise
        except (ValueError, TypeError, OverflowError) as error:
            raise FileRefused(f"{name} is not a key file: {error}") from error

    @classmethod
    def _open(cls, text: bytes, name: str | Path, passphrase: str | None) -> "Key":
        sealed = locked.read(text)
        if passphrase is None:
            raise KeyLocked(name, sealed.header.fingerprint)
        values = sealed.open(passphrase)
        if values is None:
            raise FileRefused(f"{name} was not unlocked: the passphrase is wrong, or the file was tampered with")
        key = cls(np.frombuffer(values, dtype="<f8"), secret_bits=sealed.header.secret_bits)
        if key.fingerprint != sealed.header.fingerprint:
            raise ValueError("its values do not match its fingerprint")
        return key

    @classmethod
    def _parse(cls, text: bytes) -> "Key":
        record = files.record(text, FORMAT)
        key = cls.of_record(record)
        if len(key) != record["length"]:
            raise ValueError(f"it holds {len(key)} values and says {record['length']}")
        if key.fingerprint != record["fingerprint"]:
            raise ValueError("its values do not match its fingerprint")
        return key

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> "Key":
        """The key of a file's fields "values" and "secret_bits".

        Raises:
            ValueError, TypeError, KeyError, OverflowError: saying in a few words what is wrong with them.
        """
        values, bits = record["values"], record["secret_bits"]
        if not isinstance(values, list) or not all(type(value) in (int, float) for value in values):
            raise ValueError("its values are not a list of numbers")
        if type(bits) not in (int, type(None)):
            raise ValueError(f"its secret_bits is {short(bits)}")
        return cls(np.array(values, dtype=np.float64), secret_bits=bits)
