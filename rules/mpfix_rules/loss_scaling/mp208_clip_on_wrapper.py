"""MP208: arguments of an optimizer that are given to the loss scale optimizer around it."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.wrapper_arguments import OF_INNER, STABLE, WrapperArgument, says_nothing
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.guards import Guard
from mpfix.semantic.program import Program
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import Object
from mpfix_rules.repairs.inner_arguments import moved_inside


@rule("MP208", "clip-on-wrapper", severity=Severity.ERROR, words=tuple(OF_INNER), fixable=True)
def clip_on_wrapper(program: Program) -> Iterator[Finding]:
    """Clipping, weight decay, averaging and accumulation that the wrapper does not do."""
    for (place, guard), (names, inner) in _misplaced(program).items():
        fix, reason = moved_inside(program, place, tuple(names))
        yield Finding(
            place,
            _message(program, names),
            evidence=(Evidence(inner.place, "the optimizer that takes it is made here"),) if inner else (),
            guard=guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _misplaced(program: Program) -> dict[tuple[Place, Guard], tuple[list[str], Object | None]]:
    """The arguments of each call, by the condition under which they are given, with the optimizer inside."""
    found: dict[tuple[Place, Guard], tuple[list[str], Object | None]] = {}
    # Keras 2 refuses the name, Keras 3 what the value asks for
    asked = ("value",) if program.generation == 3 else ()
    for case in program.cases(WrapperArgument, *asked):
        name, inner = case.event.name, case.event.inner
        if case.event.key != STABLE or name not in OF_INNER:
            continue
        if asked and says_nothing(name, case.value("value")):
            continue
        known = inner if isinstance(inner, Object) and inner.kind == "optimizer" else None
        names, _ = found.setdefault((case.place, case.guard), ([], known))
        if name not in names:
            names.append(name)
    return found


def _message(program: Program, names: list[str]) -> str:
    told = " and ".join(f"`{name}`" for name in names)
    if program.generation == 2:
        return f"the loss scale optimizer does not take {told}: `TypeError`; the inner optimizer does"
    return f"the loss scale optimizer does not take {told}: `ValueError`, before Keras 3.12 without any effect"
