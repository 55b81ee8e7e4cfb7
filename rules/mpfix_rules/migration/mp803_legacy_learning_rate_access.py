"""MP803: the learning rate by names that Keras 3 does not have."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.learning_rates import old_rates
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.learning_rates import todays_rate

MESSAGES = {
    "read": "`lr` is gone on Keras 3: reading it raises `AttributeError`",
    "stored": "`lr` is gone on Keras 3: storing to it is ignored, and the learning rate stays as it is",
    "set": "the learning rate is no variable of `keras.backend` on Keras 3: `set_value` raises `AttributeError`",
}


@rule("MP803", "legacy-learning-rate-access", severity={3: Severity.ERROR}, words=("lr", "set_value"), fixable=True)
def legacy_learning_rate_access(program: Program) -> Iterator[Finding]:
    """Uses of `optimizer.lr`, and `set_value` on a learning rate."""
    for old in old_rates(program):
        fix, reason = todays_rate(program, old)
        yield Finding(
            old.occurrence.place, MESSAGES[old.kind], guard=old.occurrence.guard, fix=fix, unfixable_reason=reason
        )
