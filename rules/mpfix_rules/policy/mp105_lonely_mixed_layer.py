"""MP105: mixed_float16 layers in a model whose optimizer scales no loss."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import Compiled, LayerBuilt, ModelOutput
from mpfix.frameworks.heads import fitted_models
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.guards import conjoin
from mpfix.semantic.program import Program, fact
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import TRUE_VALUE
from mpfix_rules.repairs.policy_calls import wrap_compiled


@rule("MP105", "lonely-mixed-layer", severity=Severity.ERROR, words=("compile",), half=True, fixable=True)
def lonely_mixed_layer(program: Program) -> Iterator[Finding]:
    """Models that are float32 by their own policy, with layers that are not, and a bare optimizer."""
    lonely = _lonely_layers(program)
    for output in program.cases(ModelOutput, "tensor.half"):
        half = output.at("tensor.half")
        if half not in lonely or half is None or output.event.model not in fitted_models(program):
            continue
        for case in program.cases(Compiled, "policy.name", "wrapped"):
            guard = conjoin(case.guard, output.guard)
            if case.event.model is not output.event.model or guard is None:
                continue
            if case.constant("policy.name") == "mixed_float16" or case.constant("wrapped") is not False:
                continue
            fix, reason = wrap_compiled(program, case.place, lonely[half])
            yield Finding(
                case.place,
                "`compile` scales no loss: the model's own policy is float32, though layers compute in float16",
                evidence=(Evidence(half, "layers get `mixed_float16` here"),),
                guard=guard,
                fix=fix,
                unfixable_reason=reason,
            )


@fact
def _lonely_layers(program: Program) -> dict[Place, str]:
    """Where layers get mixed_float16 as a dtype of their own, with their Keras package."""
    return {
        place: case.event.package
        for case in program.cases(LayerBuilt, "policy", "policy.name", "policy.explicit")
        if case.constant("policy.name") == "mixed_float16" and case.value("policy.explicit") == TRUE_VALUE
        if (place := case.at("policy")) is not None
    }
