"""MP404: a variable of TensorFlow in a layer, which no policy casts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mpfix.diagnostic import Applicability, Severity
from mpfix.frameworks.dtype_clashes import dtype_clashes
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program
from mpfix.semantic.values import Object
from mpfix_rules.repairs.compute_dtypes import judged

VARIABLES = frozenset({"variable"})


@rule("MP404", "raw-variable-in-layer", severity=Severity.ERROR, half=True, words=("Variable",), fixable=True)
def raw_variable_in_layer(program: Program) -> Iterator[Finding]:
    """Variables that are no weights of their layer beside half tensors."""
    # weights that are told not to be cast are meant to be read in float32
    clashes = ((clash.fixed, clash.maker) for clash in dtype_clashes(program))
    weights = {maker for fixed, maker in clashes if isinstance(fixed, Object) and fixed.key == "weight"}
    for finding in judged(program, VARIABLES, "`{shown}` is no weight of the layer, stays {fixed}"):
        if finding.place not in weights:
            # whether it should have been a weight, with its place in checkpoints, is for the author to say
            fix = replace(finding.fix, applicability=Applicability.UNSAFE) if finding.fix is not None else None
            yield replace(finding, fix=fix)
