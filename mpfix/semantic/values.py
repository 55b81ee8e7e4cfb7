"""Abstract values: what the interpreter knows of a Python object.

Values compare by meaning (constants, sequences, records) or by identity (functions, classes, objects, unknowns); none
prints an address. A `Choice` holds alternatives with their guards and never nests.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from collections.abc import Mapping as MappingType
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mpfix.record import record
from mpfix.semantic.guards import Guard
from mpfix.semantic.syntax import Module, Place, source_text

if TYPE_CHECKING:
    from mpfix.semantic.store import Box, Frame


class Value:
    """Base of all abstract values."""

    __slots__ = ()


@record
class Constant(Value):
    """A Python scalar; framework dtypes are the constants of their names."""

    value: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and type(self.value) is type(other.value) and self.value == other.value

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))

    def __str__(self) -> str:
        return repr(self.value)


NONE, TRUE_VALUE, FALSE_VALUE = Constant(None), Constant(True), Constant(False)


@record
class Sequence(Value):
    """A tuple, or the immutable content of a list: known items, and whether there may be more (`open`)."""

    items: tuple[Value, ...]
    open: bool = False

    def __str__(self) -> str:
        return "(" + ", ".join(map(str, self.items)) + (", ...)" if self.open else ")")


@record
class Mapping(Value):
    """The content of a dict: known entries, and whether there may be others (`open`)."""

    entries: tuple[tuple[Value, Value], ...]
    open: bool = False

    def get(self, key: Value) -> Value | None:
        """The last entry stored under `key`."""
        return next((value for name, value in reversed(self.entries) if name == key), None)


@dataclass(frozen=True, eq=False, slots=True)
class Function(Value):
    """A function or lambda of the project with the frame it closes over."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
    module: Module
    frame: Frame
    owner: Class | None = None
    marks: frozenset[str] = frozenset()
    """Decorators that change how it is called: `property`, `staticmethod`, `classmethod`, `generator`."""
    defaults: tuple[tuple[str, Value], ...] = ()

    @property
    def name(self) -> str:
        """The name in the source; `lambda` for a lambda."""
        return getattr(self.node, "name", "lambda")

    def __str__(self) -> str:
        return f"{self.name}()"


@record
class Bound(Value):
    """A callable with its receiver: a method of the project or of a library."""

    function: Value
    receiver: Value

    def __str__(self) -> str:
        return f"{self.receiver}.{self.function}"


@record
class Partial(Value):
    """`functools.partial`, or a callable that passes its arguments on after some fixed ones."""

    function: Value
    positional: tuple[Value, ...]
    keywords: tuple[tuple[str, Value], ...]


@dataclass(frozen=True, eq=False, slots=True)
class Class(Value):
    """A class of the project. Its identity is its node, so two classes of one name stay apart."""

    node: ast.ClassDef
    module: Module
    bases: tuple[Value, ...]
    box: Box
    fields: tuple[str, ...] | None = None
    """Field names of a dataclass or named tuple, in order; None for other classes."""
    _order: tuple[Class, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        found: list[Class] = [self]
        for base in self.bases:
            if isinstance(base, Class):
                found.extend(base._order)
        object.__setattr__(self, "_order", tuple(reversed(dict.fromkeys(reversed(found)))))

    @property
    def name(self) -> str:
        """The name in the source."""
        return self.node.name

    def __str__(self) -> str:
        return self.name

    def mro(self) -> tuple[Class, ...]:
        """Project classes in look-up order (depth first, last duplicate kept, as C3 does for ordinary diamonds)."""
        return self._order

    def library_bases(self) -> tuple[Library, ...]:
        """Library classes it inherits from, nearest first; anything unresolved is left out."""
        return tuple(base for cls in self.mro() for base in cls.bases if isinstance(base, Library))

    def has_unknown_base(self) -> bool:
        """Whether some base is neither a project nor a library class."""
        return any(not isinstance(base, (Class, Library)) for cls in self.mro() for base in cls.bases)


@record
class Library(Value):
    """A name of an outside library under its canonical key; `package` is how the user spelt its root."""

    key: str
    package: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.key


@record
class At(Value):
    """A place as a property: where something was done to a framework value."""

    place: Place

    def __str__(self) -> str:
        return f"line {self.place.line}"


@dataclass(frozen=True, eq=False, slots=True)
class ModuleValue(Value):
    """A module of the project as a value; of a namespace package there is only the folder."""

    module: Module | None
    box: Box
    folder: str | None = None
    """Where its submodules are; None for a plain module."""

    def __str__(self) -> str:
        return self.module.name if self.module is not None else str(self.folder).rpartition("/")[2]


class Object(Value):
    """A mutable object: an instance of a project class, a list or dict, or a framework object.

    Its attributes and properties are guarded cells in `box`. `kind` is `instance`, `list`, `dict`, `set`, `super`, or a
    framework's own word (`layer`, `optimizer`, ...). Identity is the object; `serial` orders and names it.
    """

    __slots__ = ("box", "cls", "key", "kind", "place", "serial", "summary")

    def __init__(
        self, serial: int, kind: str, place: Place, box: Box, *, cls: Class | None = None, key: str = ""
    ) -> None:
        self.serial, self.kind, self.place, self.box = serial, kind, place, box
        self.cls, self.key, self.summary = cls, key, False

    def __str__(self) -> str:
        name = self.cls.name if self.cls else self.key or self.kind
        return f"{name}#{self.serial}"

    def __repr__(self) -> str:
        return f"<{self}>"


class Record(Value):
    """An immutable framework value, such as a tensor: a kind and properties, each with alternatives."""

    __slots__ = ("_hash", "kind", "place", "properties")

    def __init__(self, kind: str, place: Place, properties: MappingType[str, Value]) -> None:
        self.kind, self.place = kind, place
        self.properties: dict[str, Value] = dict(properties)
        self._hash: int | None = None

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return (
            isinstance(other, Record)
            and hash(self) == hash(other)
            and self.kind == other.kind
            and self.place == other.place
            and self.properties == other.properties
        )

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.kind, self.place, tuple(sorted((k, hash(v)) for k, v in self.properties.items()))))
        return self._hash

    def __repr__(self) -> str:
        inside = ", ".join(f"{k}={v}" for k, v in sorted(self.properties.items()))
        return f"{self.kind}@{self.place.line}({inside})"

    __str__ = __repr__

    def get(self, name: str) -> Value:
        """A property; None (the constant) when it was never set."""
        return self.properties.get(name, NONE)

    def having(self, changes: MappingType[str, Value], place: Place | None = None) -> Record:
        """The record with some properties changed, made at another place."""
        return Record(self.kind, place or self.place, {**self.properties, **changes})


Origin = tuple[Any, ...]

MAX_TEXT = 160
"""Characters of an unknown's text for people."""


class Unknown(Value):
    """A value nobody knows, but which is recognised when met again: equal origin, equal value.

    `origin` is a tuple whose first item says what it is: `("site", place)`, `("attribute", value, name)`,
    `("item", value, key)`, `("call", value, arguments, place)`, `("operator", op, operands)`, `("parameter", ...)`.
    One that is `cut` is unknown because of a bound: a test of it decides nothing, what it guards is *maybe*.
    """

    __slots__ = ("_hash", "cut", "depth", "origin", "text")

    def __init__(self, origin: Origin, text: str, depth: int = 0, *, cut: bool = False) -> None:
        self.origin, self.depth, self.cut = origin, depth, cut
        # texts are made of texts: without an end to their length they double with each operation
        self.text = text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 3]}..."
        self._hash: int | None = None

    def __eq__(self, other: object) -> bool:
        return self is other or (type(other) is Unknown and hash(self) == hash(other) and self.origin == other.origin)

    def __hash__(self) -> int:
        known = self._hash
        if known is None:
            known = self._hash = hash(self.origin)
        return known

    def __str__(self) -> str:
        if not self.text and isinstance(self.origin[-1], Place):
            self.text = source_text(self.origin[-1].node)
        return self.text

    def __repr__(self) -> str:
        return f"?{self}"


MAX_ORIGIN_DEPTH = 32


def derived(kind: str, parts: Origin, text: str) -> Unknown:
    """The unknown that comes from other values in a fixed way; too deep a history is cut to one fixed unknown."""
    depth, cut = 0, False
    for part in parts:
        if type(part) is Unknown:  # `isinstance` takes twice as long where the answer is no
            depth, cut = max(depth, part.depth), cut or part.cut
    if depth >= MAX_ORIGIN_DEPTH:
        return Unknown(("deep", kind, hash((kind, *parts)), text[:MAX_TEXT]), text, depth + 1, cut=True)
    return Unknown((kind, *parts), text, depth + 1, cut=cut)


@record
class LoopKey:
    """One loop, as entered from one frame: the loop statement's place and the serial of the frame."""

    place: Place
    frame: int


@record
class Loop(Value):
    """A cell that varies in a loop, as read before its first write of an iteration.

    `widened` is what is known of it in every iteration; `initial` what it held before the loop.
    """

    loop: LoopKey
    box: int
    name: str
    initial: Value = field(compare=False)
    widened: Value = field(compare=False)

    def __str__(self) -> str:
        return self.name


class Choice(Value):
    """Alternatives with their guards, first match wins; never nested, never of one kind of record."""

    __slots__ = ("_hash", "alternatives")

    def __init__(self, alternatives: tuple[tuple[Guard, Value], ...]) -> None:
        self.alternatives = alternatives
        self._hash: int | None = None

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Choice) and self.alternatives == other.alternatives)

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash(self.alternatives)
        return self._hash

    def __str__(self) -> str:
        return " | ".join(str(value) for _, value in self.alternatives)

    def __iter__(self) -> Iterator[tuple[Guard, Value]]:
        return iter(self.alternatives)


def widened(value: Value) -> Value:
    """A loop's value as what is known of it in every iteration; other values as they are."""
    while type(value) is Loop:
        value = value.widened
    return value


@record
class Arguments:
    """What a call passes: positional values, keywords, and whether `*` or `**` brought values nobody knows.

    `rest` are the values that stand for each of those that a `*` brought, however many they are.
    """

    positional: tuple[Value, ...] = ()
    keywords: tuple[tuple[str, Value], ...] = ()
    open_positional: bool = False
    open_keywords: bool = False
    rest: tuple[Value, ...] = ()
    _hash: int | None = field(init=False, default=None, compare=False, repr=False)

    def __hash__(self) -> int:
        known = self._hash
        if known is None:
            # a call asks for it several times, and it goes down into every value
            known = hash((self.positional, self.keywords, self.open_positional, self.open_keywords))
            object.__setattr__(self, "_hash", known)
        return known

    def keyword(self, name: str) -> Value | None:
        """The value of a keyword, None when it is not passed."""
        for key, value in self.keywords:
            if key == name:
                return value
        return None

    def get(self, position: int | None, name: str) -> Value | None:
        """The argument passed by keyword `name` or at `position`; None when it surely is not passed.

        An argument that an unknown `*` or `**` may bring is an `Unknown`.
        """
        found = self.keyword(name)
        if found is None and position is not None and position < len(self.positional):
            found = self.positional[position]
        if found is None and (self.open_keywords or (self.open_positional and position is not None)):
            return Unknown(("open argument", name), name)
        return found

    def after(self, *first: Value) -> Arguments:
        """The same arguments with some put in front."""
        return Arguments((*first, *self.positional), self.keywords, self.open_positional, self.open_keywords)

    def values(self) -> tuple[Value, ...]:
        """Every value passed."""
        return (*self.positional, *[value for _, value in self.keywords]) if self.keywords else self.positional
