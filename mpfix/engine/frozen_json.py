"""Frozen dataclasses as JSON and back, told by their annotations: what the cache keeps on disk."""

from __future__ import annotations

import dataclasses
import types
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

_PLAIN = (str, int, float, bool, type(None))


def to_json(value: object) -> Any:
    """The value as JSON holds it: a dataclass is the list of its fields in order, an enum its value."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        return [to_json(getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, tuple):
        return [to_json(item) for item in value]
    if isinstance(value, _PLAIN):
        return value
    raise TypeError(f"{type(value).__name__} is not kept")


def from_json(kind: type[T], value: Any) -> T:
    """The value of a dataclass that `to_json` wrote.

    Raises:
        ValueError: the JSON is not that of the dataclass.
    """
    read: T = _read(kind, value)
    return read


def _read(kind: Any, value: Any) -> Any:
    if kind in _PLAIN or kind is None:
        return _exactly(kind, value)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(value)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value)
    arguments = get_args(kind)
    if get_origin(kind) is tuple:
        items = _items(value)
        kinds = arguments[:1] * len(items) if arguments[-1] is Ellipsis else arguments
        return tuple(_read(one, item) for one, item in zip(kinds, items, strict=True))
    if get_origin(kind) in (Union, types.UnionType):
        wanted = next(one for one in arguments if one is not type(None))
        return None if value is None else _read(wanted, value)
    raise ValueError(f"{kind} is not kept")


def _dataclass(kind: Any, value: Any) -> Any:
    hints = _hints(kind)
    items = _items(value)
    return kind(*(_read(hint, item) for hint, item in zip(hints, items, strict=True)))


@cache
def _hints(kind: Any) -> tuple[Any, ...]:
    """The annotations of a dataclass's fields, in order."""
    hints = get_type_hints(kind)
    return tuple(hints[field.name] for field in dataclasses.fields(kind))


def _items(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError("not a list")
    return value


def _exactly(kind: Any, value: Any) -> Any:
    if type(value) is not (type(None) if kind is None else kind):
        raise ValueError(f"not {kind}")
    return value
