"""The entries of a TOML table, each checked: what is wrong is said with its name, its place and its value."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def only(entry: Mapping[str, Any], known: frozenset[str], where: str) -> None:
    """Refuse entries that there are none of."""
    for name in entry:
        if name not in known:
            raise ValueError(f"{where} has an entry {name[:30]!r}, which is none of {', '.join(sorted(known))}")


def typed(entry: Mapping[str, Any], name: str, where: str, kind: type[T], default: T) -> T:
    """An entry of this type, or the default."""
    value = entry.get(name, default)
    if not isinstance(value, kind):
        raise ValueError(f"{name} of {where} is {str(value)[:30]!r}, but has to be of type {kind.__name__}")
    return value


def text(entry: Mapping[str, Any], name: str, where: str, longest: int) -> str:
    """A text, without what is empty around it."""
    found = typed(entry, name, where, str, "").strip()
    if len(found) > longest:
        raise ValueError(f"{name} of {where} has {len(found)} characters; at most {longest} can be read")
    return found


def one_of(entry: Mapping[str, Any], name: str, where: str, choices: tuple[str, ...]) -> str:
    """One of some words."""
    value = typed(entry, name, where, str, "")
    if value not in choices:
        raise ValueError(f"{name} of {where} is {value[:30]!r}, which is none of {', '.join(choices)}")
    return value


def number(entry: Mapping[str, Any], name: str, where: str, default: float, low: float, high: float) -> float:
    """A number from low to high."""
    value = entry.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"{name} of {where} is {str(value)[:30]!r}, but has to be a number from {low:g} to {high:g}")
    return value


def a_list(entry: Mapping[str, Any], name: str, where: str, check: Callable[[Any], T], most: int) -> tuple[T, ...]:
    """A list, each of it checked."""
    values = typed(entry, name, where, list, [])
    try:
        if len(values) > most:
            raise ValueError(f"it has {len(values)} entries, at most {most} have room")
        return tuple(check(each) for each in values)
    except ValueError as error:
        raise ValueError(f"{name} of {where}: {error}") from error


def words(value: Any) -> str:
    """A few words, as an item of a list."""
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= 60:
        raise ValueError(f"{str(value)[:30]!r} is no text of 1 to 60 characters")
    return value.strip()


def percent(value: Any) -> float:
    """A percent that divides, as an item of a list."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 100:
        raise ValueError(f"{str(value)[:30]!r} is no percent between 0 and 100")
    return float(value)
