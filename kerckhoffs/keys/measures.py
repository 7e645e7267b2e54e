"""How long a key may be, and what it is worth.

What a key is worth is the number of different secrets that an attacker has to tell apart. A permutation uses only the
order of its values, so a random key of length N is worth log2(N!) bits to it, and no transform uses more (each says how
much: Transform.entropy_bits); a derived key is worth the length of the secret behind it, however long the key is.
"""

import math

from kerckhoffs.keys.files import short

SECRET_BYTES = 32  # what HKDF-SHA256 and ChaCha20 carry: a longer secret adds nothing
MAX_LENGTH = 2**21  # what the largest file holds: three channels of 836 x 836


def check_length(length: int) -> None:
    """Refuse an impossible number of values.

    Raises:
        ValueError: naming it.
    """
    if not 2 <= length <= MAX_LENGTH:
        raise ValueError(f"length must be between 2 and {MAX_LENGTH}, but is {short(length)}")


def check_secret_bits(secret_bits: int | None) -> None:
    """Refuse an impossible entropy of a secret; None is that of a random key.

    Raises:
        ValueError: naming it.
    """
    if secret_bits is not None and not 1 <= secret_bits <= 8 * SECRET_BYTES:
        raise ValueError(f"secret_bits must be between 1 and {8 * SECRET_BYTES}, but is {short(secret_bits)}")


def entropy_bits(length: int, secret_bits: int | None) -> float:
    """The entropy in bits: log2(N!) orders of N values, or the secret's length if that is less."""
    orders = math.lgamma(length + 1) / math.log(2)
    return orders if secret_bits is None else min(orders, float(secret_bits))


def origin(secret_bits: int | None) -> str:
    """What the entropy rests on, in words."""
    if secret_bits is None:
        return "drawn value by value from the operating system's entropy"
    return f"derived from a master secret of {secret_bits} bits"
