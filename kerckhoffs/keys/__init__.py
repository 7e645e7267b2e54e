"""The secret and its life: made, locked, unlocked, committed to, derived for many, backed up, restored."""

from kerckhoffs.keys import files, locked
from kerckhoffs.keys.backups import backup, locked_copy, put_back, restore
from kerckhoffs.keys.commitments import Opening, Reveal, commit, kept_at, reveal, verify
from kerckhoffs.keys.devices import DeviceKey, derive_for, load_secret, new_secret, new_secret_path, secrets_folder
from kerckhoffs.keys.files import in_users_folder
from kerckhoffs.keys.key import FORMAT, MASTER_LENGTH, Key, KeyLocked
from kerckhoffs.keys.listing import KeyFile, listed, look
from kerckhoffs.keys.locked import Cost
from kerckhoffs.keys.measures import SECRET_BYTES
from kerckhoffs.keys.rewriting import protect, unprotect
from kerckhoffs.keys.unlocked import asking, find, held, hold, lock, unlock

__all__ = [
    "FORMAT",
    "MASTER_LENGTH",
    "SECRET_BYTES",
    "Cost",
    "DeviceKey",
    "Key",
    "KeyFile",
    "KeyLocked",
    "Opening",
    "Reveal",
    "asking",
    "backup",
    "commit",
    "derive_for",
    "files",
    "find",
    "held",
    "hold",
    "in_users_folder",
    "kept_at",
    "listed",
    "load_secret",
    "lock",
    "locked",
    "locked_copy",
    "look",
    "new_secret",
    "new_secret_path",
    "protect",
    "put_back",
    "restore",
    "reveal",
    "secrets_folder",
    "unlock",
    "unprotect",
    "verify",
]
