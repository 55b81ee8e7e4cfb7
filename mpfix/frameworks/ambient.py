"""Ambient: the policy under which code is built whose moment nobody knows."""

from __future__ import annotations

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
from mpfix.semantic.guards import TRUE
from mpfix.semantic.run import Occurrence, Run
from mpfix.semantic.values import Choice, Record, Unknown, Value


def ambient_policy(run: Run, occurrences: tuple[Occurrence, ...]) -> Value | None:
    """The policy of what no root reached: any that the component sets; None where it sets none."""
    found = [o for o in occurrences if isinstance(o.event, PolicySet) and not _is_afterthought(o, occurrences)]
    if not found:
        return None
    alternatives = [(o.guard, o.event.policy) for o in reversed(found) if isinstance(o.event, PolicySet)]
    plain = {str(value.get("name")) for _, value in alternatives if isinstance(value, Record)}
    if len(plain) > 1 and any(not guard for guard, _ in alternatives):
        # several policies, and none says when: each may be the one in force
        alternatives = [
            (frozenset({(Unknown(("policy of", value), f"the policy of line {value.place.line}"), True)}), value)
            if isinstance(value, Record)
            else (guard, value)
            for guard, value in alternatives
        ]
    default = run.get_global("policy")
    if default is not None and not isinstance(default, Choice):
        alternatives.append((TRUE, default))
    return run.merge(alternatives)


def _is_afterthought(policy: Occurrence, occurrences: tuple[Occurrence, ...]) -> bool:
    """Whether a root builds and trains first, and then sets a policy under which nothing happens any more."""
    if policy.chain:
        return False
    at = next(index for index, one in enumerate(occurrences) if one is policy)
    later = next((i for i in range(at + 1, len(occurrences)) if occurrences[i].order <= policy.order), len(occurrences))
    earlier = next((i for i in range(at, 0, -1) if occurrences[i - 1].order >= occurrences[i].order), 0)
    kinds = (LayerBuilt, ModelBuilt, Compiled, Fitted, ModelCalled, OptimizerBuilt, TapeOpened)
    before, after = occurrences[earlier:at], occurrences[at + 1 : later]
    return any(isinstance(one.event, kinds) for one in before) and not any(isinstance(o.event, kinds) for o in after)
