"""MP412: a half tensor, put into half by a policy, for a function that has no kernel for it."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.half_kernels import Refused, refused_calls
from mpfix.rule import Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.half_kernels import float32_arguments
from mpfix_rules.repairs.heads import policy_evidence
from mpfix_rules.repairs.places import call_at, shown

WORDS = (
    "bincount", "betainc", "bounding_boxes", "cholesky", "complex", "crop_and_resize", "ctc", "dct", "det", "eig",
    "encode_wav", "expm", "fake_quant", "fft", "fractional", "fused_batch_norm", "glimpse", "histogram", "inv",
    "linalg", "lstsq", "lu_factor", "mfcc", "nextafter", "polygamma", "qr", "rnnt", "solve", "square_root", "stft",
    "suppression", "svd", "top_k", "tridiagonal", "zeta",
)  # fmt: skip
"""Parts of the names of all functions that refuse half tensors."""


@rule("MP412", "missing-half-kernel", severity=Severity.ERROR, half=True, words=WORDS, fixable=True)
def missing_half_kernel(program: Program) -> Iterator[Finding]:
    """Calls of functions that take float32 only, with what a policy put into half."""
    for refused in refused_calls(program):
        repair = float32_arguments(program, refused)
        yield Finding(
            refused.place,
            f"`{_name(refused)}` refuses `{refused.halves[0][0]}` in {refused.dtype}: TensorFlow raises an error",
            evidence=policy_evidence(refused.policy, refused.guard),
            guard=refused.guard,
            fix=repair.fix,
            unfixable_reason=repair.reason,
        )


def _name(refused: Refused) -> str:
    call = call_at(refused.place)
    return shown(call.func) if call is not None else refused.key
