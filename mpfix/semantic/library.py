"""The protocol between the interpreter and what it knows of outside libraries.

The interpreter calls a model once per combination of alternatives, so a model never sees a `Choice` as the callee or
receiver; argument values may still be choices, and properties of records may. A method answers None where it has
nothing to say: the interpreter then does what plain Python would, or gives an `Unknown`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from mpfix.record import record
from mpfix.semantic.values import Arguments, Function, Library, Object, Record, Value

if TYPE_CHECKING:
    from mpfix.semantic.run import Occurrence, Run


@record
class Iteration:
    """What a `for` over a value gives: its element, and whether it walks over the parts of one value (gradients of one
    step, variables of one model) and not over time.
    """

    element: Value
    elementwise: bool = False


class LibraryModel(Protocol):
    """What outside libraries do, as far as it is modelled."""

    kept_words: frozenset[object]
    """Strings that stay exact when the arguments of an often called function are widened."""

    def name(self, qualified: str) -> Value:
        """The value of an outside dotted name, such as `tensorflow.keras.layers`."""

    def star(self, module: str, name: str) -> Value | None:
        """What `from module import *` binds to `name`; None when it surely does not."""

    def start(self, run: Run) -> None:
        """A root starts: set the global state to its default."""

    def start_last_pass(self, run: Run, occurrences: tuple[Occurrence, ...], function: Function) -> None:
        """A function that no root reached is about to run: set the global state to what the component says."""

    def comes_first(self, function: Function) -> bool:
        """Whether a function that no root reached runs before the others: what it does decides how they run."""

    def has_set_state(self, run: Run) -> bool:
        """Whether the program changed the library's global state: the objects that it leaves are to be used in it."""

    def is_unset_flag(self, run: Run, function: Function, name: str) -> bool:
        """Whether a parameter with the default False is a flag that no call sets, and of which both sides count."""

    def reach(self, run: Run, function: Function, receiver: Object | None) -> bool:
        """Call a function that no root reached, where the library knows how it is called (`train_step`); else False."""

    def is_test(self, function: Function) -> bool:
        """Whether a function is called by a test runner, as a program of its own: such ones run last."""

    def mark(self) -> Callable[[], None]:
        """Remember the library's own state; what brings it back, any number of times."""

    def finish(self, run: Run) -> None:
        """A root, or the last pass, has ended: events that depend on how objects ended up."""

    def attribute(self, run: Run, receiver: Value, name: str, node: ast.AST) -> Value | None:
        """An attribute of a library name, a framework object or a record, or of a constant that stands for one."""

    def store(self, run: Run, receiver: Value, name: str, value: Value, node: ast.AST) -> bool:
        """`receiver.name = value`; True when the model took it."""

    def call(self, run: Run, function: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        """A call of a `Library`, of a `Bound` with a library function, or of a framework object."""

    def created(self, run: Run, instance: Object, arguments: Arguments, node: ast.AST) -> None:
        """A project class with library bases was instantiated, its `__init__` has not run yet."""

    def constructed(self, run: Run, instance: Object, node: ast.AST) -> None:
        """Its `__init__` has run."""

    def returned(self, run: Run, value: Value, node: ast.AST) -> None:
        """A `return` of the program gives a value."""

    def item(self, run: Run, receiver: Value, key: Value, node: ast.AST) -> Value | None:
        """`receiver[key]` of a record or framework object."""

    def store_item(self, run: Run, receiver: Value, key: Value, value: Value, node: ast.AST) -> bool:
        """`receiver[key] = value`."""

    def operator(self, run: Run, operator: str, operands: tuple[Value, ...], node: ast.AST) -> Value | None:
        """A unary or binary operator with at least one record, framework object or loop value among its operands."""

    def iterate(self, run: Run, value: Value, node: ast.AST) -> Iteration | None:
        """Iteration over a record or framework object."""

    def truth(self, run: Run, value: Value) -> bool | None:
        """Truth of a record, framework object or library name; None when nobody knows."""

    def has_attribute(self, run: Run, value: Value, name: str, node: ast.AST) -> bool | None:
        """`hasattr` of a library name, framework object or record; None when nobody knows."""

    def is_instance(self, run: Run, value: Value, of: Value) -> bool | None:
        """`isinstance` where a library class or value takes part."""

    def enter(self, run: Run, value: Value, node: ast.AST) -> Value | None:
        """The value that `with value as name` binds."""

    def exit(self, run: Run, value: Value, node: ast.AST) -> None:
        """The `with` block ends."""

    def merge(self, values: tuple[Value, ...]) -> Value | None:
        """One value for alternatives that all are library names: the one that is modelled, None to keep them apart."""

    def widen(self, initial: Value, learnt: Value) -> Value | None:
        """What is known in every iteration of a value that a loop changes from `initial` to `learnt`."""


@record
class Event:
    """Base of everything that happens in a program and that a rule may ask about."""

    node: ast.AST


@record
class NameMissing(Event):
    """A name was read that is bound in no scope at that moment: Python raises `NameError`.

    Unless one of `stars`, the modules that everything was imported from, brought it.
    """

    name: str
    stars: tuple[str, ...] = ()


def is_framework_value(value: Value) -> bool:
    """Whether a library model must be asked about operators and items of the value."""
    return isinstance(value, (Record, Library)) or (isinstance(value, Object) and value.kind not in CONTAINERS)


CONTAINERS = frozenset({"list", "dict", "set", "instance", "super"})
