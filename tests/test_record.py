"""Records do what frozen dataclasses do, but for the freezing, which the type checker sees to."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field, fields, replace

import pytest

from mpfix.record import record


@record
class Empty:
    pass


@record
class Point:
    f0_: int
    NotImplemented: int = 0
    names: dict[str, int] = field(default_factory=dict, repr=False, compare=False)


@record
class Named(Point):
    name: str = ""


@record
class Own:
    value: int

    def __hash__(self) -> int:
        return 7

    def __repr__(self) -> str:
        return "own"


@dataclass(frozen=True, slots=True)
class Model:
    f0_: int
    NotImplemented: int = 0


def test_they_are_equal_when_their_compared_fields_and_their_class_are() -> None:
    assert Point(1, 2, {"a": 1}) == Point(1, 2)
    assert Point(1, 2) != Point(1, 3)
    assert Point(1, 2) != Point(2, 2)
    assert Point(1, 2) != Model(1, 2)
    assert Named(1, 2) != Point(1, 2)
    assert Named(1, 2, name="a") != Named(1, 2, name="b")
    assert Empty() == Empty()


def test_equal_ones_have_one_hash_that_of_a_dataclass() -> None:
    assert hash(Point(1, 2, {"a": 1})) == hash(Point(1, 2)) == hash(Model(1, 2))
    assert len({Named(1), Named(1), Named(2)}) == 2
    with pytest.raises(TypeError):
        hash(Point([]))  # type: ignore[arg-type]


def test_they_print_their_fields_and_no_address() -> None:
    point = Point(1, 2, {"a": 1})
    point.names["self"] = 1

    assert repr(point) == "Point(f0_=1, NotImplemented=2)"
    assert repr(Empty()) == "Empty()"


def test_one_that_holds_itself_can_be_printed() -> None:
    content: list[object] = []
    point = Point(content)  # type: ignore[arg-type]
    content.append(point)

    assert repr(point) == "Point(f0_=[...], NotImplemented=0)"


def test_methods_of_their_own_stay() -> None:
    assert (hash(Own(1)), repr(Own(1)), Own(1) == Own(1)) == (7, "own", True)


def test_they_are_replaced_sent_and_have_no_other_attributes() -> None:
    assert replace(Named(1), name="a") == Named(1, name="a")
    assert pickle.loads(pickle.dumps(Named(1, 2, name="a"))) == Named(1, 2, name="a")
    assert [one.name for one in fields(Named)] == ["f0_", "NotImplemented", "names", "name"]
    with pytest.raises(AttributeError):
        Point(1).other = 1  # type: ignore[attr-defined]
