"""MP107: preprocessing layers in half precision inside a dataset's map."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.events import LayerBuilt
from mpfix.frameworks.policy_facts import mapped_layers
from mpfix.frameworks.policy_order import MIXED
from mpfix.frameworks.training import layers_by_place
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import TRUE_VALUE
from mpfix_rules.repairs.heads import float32_head, policy_evidence

IMAGE_LAYERS = frozenset({"Rescaling", "Resizing", "CenterCrop", "Normalization", "AutoContrast", "AugMix", "MixUp"})


@rule(
    "MP107",
    "augmenter-in-half",
    severity=Severity.WARNING,
    words=("Random", "Rescaling", "Normalization", "Resizing", "CenterCrop"),
    half=True,
    fixable=True,
)
def augmenter_in_half(program: Program) -> Iterator[Finding]:
    """Layers that prepare data on the CPU, built under a half policy."""
    mapped = mapped_layers(program)
    for case in program.cases(LayerBuilt, "policy", "policy.name", "policy.explicit"):
        layer, name = case.event.layer, case.constant("policy.name")
        if layer not in mapped or name not in MIXED or case.value("policy.explicit") == TRUE_VALUE:
            continue
        kind = case.event.key.rpartition(".")[2]
        if layer.cls is not None or not (kind.startswith("Random") or kind in IMAGE_LAYERS):
            continue
        yield Finding(
            case.place,
            f"`{kind}` runs in {str(name)[6:]} in a dataset's `map`: on the CPU, where half precision only costs",
            evidence=policy_evidence(case.value("policy"), case.guard),
            guard=case.guard,
            fix=float32_head(program, case.place, layers_by_place(program)[case.place] & mapped),
        )
