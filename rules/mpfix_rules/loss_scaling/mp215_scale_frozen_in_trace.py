"""MP215: on Keras 3 a traced function scales by a constant, because the optimizer is built elsewhere and later."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.frozen_scales import frozen_scales
from mpfix.frameworks.steps import optimizer_evidence
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.optimizer_builds import built_before


@rule("MP215", "scale-frozen-in-trace", severity={3: Severity.ERROR}, words=("scale_loss",), fixable=True)
def scale_frozen_in_trace(program: Program) -> Iterator[Finding]:
    """Scales that never change once the step is traced."""
    for frozen in frozen_scales(program):
        fix, reason = built_before(program, frozen)
        made = (Evidence(place, message) for place, message in optimizer_evidence(frozen.step))
        yield Finding(
            frozen.place,
            "the optimizer is not built when this is traced: the loss is scaled by 32768 for ever, "
            "whatever the loss scale becomes",
            evidence=(*made, Evidence(frozen.step.applied, "the optimizer is built here, outside of that trace")),
            guard=frozen.step.guard,
            fix=fix,
            unfixable_reason=reason,
        )
