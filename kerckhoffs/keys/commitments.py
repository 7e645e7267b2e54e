"""Publish a hash of a key now, and the key later: whoever compares knows that it was that key all along.

    commitment = SHA-256("kerckhoffs commitment 1" || nonce || each field with its length before it)

The fields are the values, what they were derived from, and if wanted a classifier, the SHA-256 of its weights, and a
note. It binds: another field, or another key, has another hash. It hides: 32 random bytes come first, so that nobody
can try what is guessable, as they could with the fingerprint of a key that was derived from little. The random bytes,
the opening, must be kept until the key is revealed, and shown to nobody before.

When a commitment was published is for whoever published it to prove; the hash does not say.
"""

import hashlib
import json
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kerckhoffs import places
from kerckhoffs.checks import FileRefused
from kerckhoffs.keys import files
from kerckhoffs.keys.key import Key

OPENING, REVEAL = "kerckhoffs-opening-1", "kerckhoffs-reveal-1"
DOMAIN = b"kerckhoffs commitment 1"
NONCE_BYTES = 32
LONGEST = 1000  # characters of a note
TEXTS = ("model", "weights", "note")


@dataclass(frozen=True)
class Opening:
    """What turns a key into its commitment; without the key it tells nothing of it, and it is not to be published.

    Args:
        nonce: 32 bytes of the operating system's entropy.
        fingerprint: of the key.
        model: the id of a classifier that uses it, or "".
        weights: the SHA-256 of its weights, in hexadecimal, or "".
        note: anything else, or "".

    Raises:
        ValueError: on another nonce, or a text that is too long.
    """

    nonce: bytes = field(repr=False)
    fingerprint: str
    model: str = ""
    weights: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if len(self.nonce) != NONCE_BYTES:
            raise ValueError(f"a nonce must have {NONCE_BYTES} bytes, but has {len(self.nonce)}")
        for name in TEXTS:
            if len(getattr(self, name)) > LONGEST:
                raise ValueError(f"the {name} must have at most {LONGEST} characters")
            getattr(self, name).encode()  # half a surrogate pair is no text

    def save(self, path: str | Path) -> Path:
        """Write it to a new file that only its owner can read (mode 0600)."""
        record = {"format": OPENING, "nonce": self.nonce.hex(), "fingerprint": self.fingerprint} | _texts(self)
        return files.write_new(Path(path), json.dumps(record).encode(), what="opening")

    @classmethod
    def load(cls, path: str | Path) -> "Opening":
        """Read what `save` wrote.

        Raises:
            FileRefused: if the file is missing, readable by others or malformed.
        """
        text = files.read(Path(path), what="opening")
        try:
            record = _read(text, OPENING)
            return cls(_nonce(record), str(record["fingerprint"]), **{name: record[name] for name in TEXTS})
        except (ValueError, KeyError, TypeError) as error:
            raise FileRefused(f"{path} is no opening of a commitment: {_why(error)}") from error


@dataclass(frozen=True)
class Reveal:
    """A key with its opening, for everybody: from then on the key is public."""

    key: Key
    opening: Opening

    @property
    def commitment(self) -> str:
        """What it is a reveal of: 64 hexadecimal digits."""
        return _commitment(self.key, self.opening)

    def words(self, same: bool) -> str:
        """What came out of comparing it with a commitment, in one sentence.

        Args:
            same: whether it is what was committed to.
        """
        if not same:
            return f"this is not what was committed to: neither key {self.key.fingerprint} nor anything else is proven"
        also = [f"{name} {text}" for name, text in _texts(self.opening).items() if text]
        return f"the commitment is to the key {self.key.fingerprint}" + "".join(f", {each}" for each in also)

    def write(self) -> bytes:
        """A file, for everybody."""
        record = {
            "format": REVEAL,
            "public": True,
            "nonce": self.opening.nonce.hex(),
            **_texts(self.opening),
            "secret_bits": self.key.secret_bits,
            "values": self.key.values.tolist(),
        }
        return json.dumps(record).encode()

    def save(self, path: str | Path) -> Path:
        """Write it to a new file that everybody may read (mode 0644)."""
        return files.write_new(Path(path), self.write(), public=True, what="reveal")

    @classmethod
    def read(cls, text: bytes, name: str | Path) -> "Reveal":
        """What `write` wrote.

        Args:
            name: what to call it in sentences.

        Raises:
            FileRefused: if it is malformed.
        """
        try:
            record = _read(text, REVEAL)
            key = Key.of_record(record)
            opening = Opening(_nonce(record), key.fingerprint, **{each: record[each] for each in TEXTS})
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise FileRefused(f"{name} is no reveal of a key: {_why(error)}") from error
        return cls(key, opening)

    @classmethod
    def load(cls, path: str | Path) -> "Reveal":
        """Read a file; whoever can read it.

        Raises:
            FileRefused: if it is missing or malformed.
        """
        return cls.read(files.read_any(Path(path), "reveal")[0], path)


def commit(key: Key, *, model: str = "", weights: str = "", note: str = "") -> tuple[str, Opening]:
    """A new commitment to a key, to be published, and its opening, to be kept.

    Args:
        model: the id of a classifier that uses it.
        weights: the SHA-256 of its weights, in hexadecimal.
        note: anything else, at most 1000 characters.

    Raises:
        ValueError: on a text that is too long.
    """
    opening = Opening(os.urandom(NONCE_BYTES), key.fingerprint, model, weights, note)
    return _commitment(key, opening), opening


def reveal(key: Key, opening: Opening) -> Reveal:
    """The reveal of a key that was committed to. Whoever gets it has the key.

    Raises:
        ValueError: if the opening is of another key.
    """
    if key.fingerprint != opening.fingerprint:
        raise ValueError(f"the opening is of the key {opening.fingerprint}, not of {key.fingerprint}")
    return Reveal(key, opening)


def verify(commitment: str, shown: Reveal) -> bool:
    """Whether a reveal is what was committed to.

    Raises:
        ValueError: if the commitment is none.
    """
    return check(commitment) == shown.commitment


def check(commitment: str) -> str:
    """A commitment as it is written here, in small letters.

    Raises:
        ValueError: if it is none.
    """
    found = commitment.strip().lower()
    if not re.fullmatch("[0-9a-f]{64}", found):
        raise ValueError(f"{files.short(commitment)} is no commitment: 64 hexadecimal digits")
    return found


def kept_at(commitment: str) -> Path:
    """Where the user's opening of a commitment is kept."""
    return places.home() / "commitments" / f"{check(commitment)}.json"


def _commitment(key: Key, opening: Opening) -> str:
    origin = b"" if key.secret_bits is None else str(key.secret_bits).encode()
    fields = [key.values.astype("<f8").tobytes(), origin, *(each.encode() for each in _texts(opening).values())]
    parts = (len(each).to_bytes(8, "big") + each for each in fields)
    return hashlib.sha256(DOMAIN + opening.nonce + b"".join(parts)).hexdigest()


def _texts(opening: Opening) -> dict[str, str]:
    return {name: getattr(opening, name) for name in TEXTS}


def _read(text: bytes, format_: str) -> dict[str, Any]:
    record = files.record(text, format_)
    if not all(isinstance(record[name], str) for name in TEXTS):
        raise ValueError("its model, weights and note are not texts")
    return record


def _nonce(record: dict[str, Any]) -> bytes:
    return bytes.fromhex(record["nonce"])


def _why(error: Exception) -> str:
    return f"it has no {error.args[0]!r}" if isinstance(error, KeyError) else str(error)
