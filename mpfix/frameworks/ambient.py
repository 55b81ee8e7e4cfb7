"""Ambient: the policy under which code is built whose moment nobody knows."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from mpfix.frameworks.events import (
    Compiled,
    Fitted,
    LayerBuilt,
    ModelBuilt,
    ModelCalled,
    OptimizerBuilt,
    PolicySet,
    TapeOpened,
)
from mpfix.frameworks.keys import uses_of
from mpfix.frameworks.policies import SETTERS
from mpfix.frameworks.unit_tests import FIXTURES, is_test, is_test_file
from mpfix.semantic.guards import TRUE, Guard, conjoin, is_maybe
from mpfix.semantic.run import Occurrence, Run
from mpfix.semantic.syntax import Module
from mpfix.semantic.values import NONE, Choice, Constant, Function, Object, Record, Unknown, Value

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

SUPPOSED = "policy of"
"""What a condition is about that says which of several policies is in force."""


class Ambient:
    """The policy that the functions which no root reached start with; none of them sees what another one has set."""

    def __init__(self) -> None:
        self._seen: tuple[Occurrence, ...] | None = None
        self._found: list[Occurrence] = []
        self._default: Value = NONE
        self._policy: Value = NONE
        self.testing = False
        """Whether a test runs."""
        self.tried: list[Object] = []
        """Models that tests build: nobody keeps what they learn."""

    def enter(self, lib: KerasLibrary, run: Run, occurrences: tuple[Occurrence, ...], function: Function) -> None:
        """Set the policy, made of what is known so far, before such a function runs."""
        if self._seen is None:
            if run.get_global("policy set") is not None and run.module is not None:
                lib.start_policy(run, run.module.tree)
            self._default = run.get_global("policy") or NONE
        if self._seen is not occurrences:
            self._seen = occurrences
            self._found = _policies_set(occurrences)
            self._policy = ambient_policy(run, self._found, self._default) or self._default
        policy = self._policy
        self.testing = is_test(function)
        if self.testing:
            own = [one for one in self._found if _is_set_for_tests(one, function.module)]
            left = self._left_by(run, function.module)
            policy = ambient_policy(run, own, left) or left
        elif is_test_file(function.module):
            own = [one for one in self._found if _is_set_for_helpers(one, function.module)]
            left = self._left_by(run, function.module)
            policy = ambient_policy(run, own, left) or left
        if run.get_global("policy") is not policy:
            run.set_global("policy", policy)

    def _left_by(self, run: Run, module: Module) -> Value:
        """The policy in force once a module's body has run, with all that it imports."""
        cells = run.effects.get(module, {}).get("policy")
        return (run.pick(cells) if cells else None) or self._default


def _policies_set(occurrences: tuple[Occurrence, ...]) -> list[Occurrence]:
    return [o for o in occurrences if isinstance(o.event, PolicySet) and not _is_afterthought(o, occurrences)]


def _is_set_for_tests(one: Occurrence, module: Module) -> bool:
    """Whether a policy is in force when a module's tests run: its body or what runs before each test sets it."""
    name = getattr(one.function, "name", "")
    return one.place.module is module and (one.function is None or name in FIXTURES)


def _is_set_for_helpers(one: Occurrence, module: Module) -> bool:
    """Whether the helpers of a file of tests may see a policy: tests call them, and what sets one for these."""
    setter = one.place.module
    return setter is module or setter.document.display.endswith("conftest.py")


def ambient_policy(run: Run, found: list[Occurrence], default: Value) -> Value | None:
    """The policy of what no root reached: any that the component sets, else `default`; None where it sets none."""
    if not found:
        return None
    # what lost a literal to a bound proves nothing, and would take the proof of what comes after it
    latest_first = found[::-1]
    ordered = sorted(latest_first, key=lambda one: is_maybe(one.guard))
    alternatives = [(o.guard, o.event.policy) for o in ordered if isinstance(o.event, PolicySet)]
    if any(isinstance(value, Record) for _, value in alternatives):
        # one record, so that each of its properties has the alternatives
        alternatives = [(guard, run.each(value, _as_record(run))) for guard, value in alternatives]
    alternatives = _distinct(run, alternatives)
    plain = {str(value.get("name")) for _, value in alternatives if isinstance(value, Record)}
    if len(plain) > 1 and any(not guard for guard, _ in alternatives):
        # several policies, and none says when: each may be the one in force
        alternatives = [
            (frozenset({(Unknown((SUPPOSED, value), f"the policy of line {value.place.line}"), True)}), value)
            if isinstance(value, Record)
            else (guard, value)
            for guard, value in alternatives
        ]
    if not isinstance(default, Choice):
        alternatives.append((TRUE, default))
    return run.merge(alternatives)


def _distinct(run: Run, alternatives: list[tuple[Guard, Value]]) -> list[tuple[Guard, Value]]:
    """Without what names the same policy again: tests that each set the same one, scripts that share a helper."""
    kept = _first_of_each(alternatives, lambda guard, value: (guard, _named(value)))
    kept = _first_of_each(
        kept, lambda guard, value: (value.place if isinstance(value, Record) else value, _named(value))
    )
    names = [_name(value) for _, value in kept]
    count = sum(len(one.alternatives) if isinstance(one, Choice) else 1 for one in names)
    # what is set in more places than a value has alternatives is told apart by its name alone
    return kept if count < run.limits.alternatives else _first_of_each(kept, lambda _, value: _named(value))


def _first_of_each(
    alternatives: list[tuple[Guard, Value]], key: Callable[[Guard, Value], object]
) -> list[tuple[Guard, Value]]:
    """One alternative of each key, the first, unless a later one has fewer conditions."""
    kept: dict[object, tuple[Guard, Value]] = {}
    for guard, value in alternatives:
        known = kept.setdefault(key(guard, value), (guard, value))
        if len(guard) < len(known[0]) and not is_maybe(guard):
            kept[key(guard, value)] = (guard, value)
    return list(kept.values())


def _name(value: Value) -> Value:
    return value.get("name") if isinstance(value, Record) else value


def _named(value: Value) -> object:
    return str(_name(value)) if isinstance(value, Record) else value


def sets_policy(function: Function) -> bool:
    """Whether a function sets a policy, as far as its own text shows."""
    module, last = function.module, function.node.end_lineno or function.node.lineno
    lines = _SETTERS.get(module)
    if lines is None:
        uses = [use.node.lineno for use in uses_of(module, frozenset(SETTERS))]
        lines = _SETTERS[module] = (*uses, *_through_attributes(module))
    return any(function.node.lineno <= line <= last for line in lines)


def _through_attributes(module: Module) -> Iterator[int]:
    """Lines that set a policy with a module that an attribute keeps: `self.precision.set_global_policy(policy)`."""
    text = module.document.text
    if "mixed_precision" in text and any(f".{name}(" in text for name in _SETTING):
        for node in ast.walk(module.tree):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Attribute(), attr=name)) if name in _SETTING:
                    yield node.lineno


_SETTING = frozenset(name.rpartition(".")[2] for name in SETTERS)
"""What setters are called in every module that has one."""

_SETTERS: WeakKeyDictionary[Module, tuple[int, ...]] = WeakKeyDictionary()


def _as_record(run: Run) -> Callable[[Value], Value]:
    def as_record(policy: Value) -> Value:
        if isinstance(policy, Record) or run.module is None:
            return policy
        return Record("policy", run.place(run.module.tree), {"name": Unknown(("policy name", policy), str(policy))})

    return as_record


def _is_afterthought(policy: Occurrence, occurrences: tuple[Occurrence, ...]) -> bool:
    """Whether a root builds and trains first, and then sets a policy under which nothing happens any more.

    A function that does so may be called again, but for one that only puts back the default.
    """
    if policy.chain and not _is_default(policy):
        return False
    at = next(index for index, one in enumerate(occurrences) if one is policy)
    later = next((i for i in range(at + 1, len(occurrences)) if occurrences[i].order <= policy.order), len(occurrences))
    earlier = next((i for i in range(at, 0, -1) if occurrences[i - 1].order >= occurrences[i].order), 0)
    before, after = occurrences[earlier:at], occurrences[at + 1 : later]
    if policy.chain and not any(isinstance(one.event, PolicySet) and not _is_default(one) for one in before):
        return False
    follow = (one for one in after if isinstance(one.event, _WORK) and conjoin(policy.guard, one.guard) is not None)
    return any(isinstance(one.event, _WORK) for one in before) and next(follow, None) is None


def _is_default(one: Occurrence) -> bool:
    """Whether a policy is set that a program starts with."""
    return isinstance(one.event, PolicySet) and _name(one.event.policy) == Constant("float32")


_WORK = (LayerBuilt, ModelBuilt, Compiled, Fitted, ModelCalled, OptimizerBuilt, TapeOpened)
"""What happens under a policy."""
