"""MP802: GPU options in a session that no training code runs in."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.sessions import vain_sessions
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program
from mpfix_rules.repairs.gpu_sessions import grow_memory


@rule("MP802", "tf1-gpu-session", severity=Severity.WARNING, words=("Session",), fixable=True)
def tf1_gpu_session(program: Program) -> Iterator[Finding]:
    """Sessions of TensorFlow 1 with GPU options, in programs that train eagerly or by Keras."""
    for session in vain_sessions(program):
        fix, reason = grow_memory(program, session)
        yield Finding(
            session.occurrence.place,
            "the GPU options go to a session of TensorFlow 1: eager code and Keras do not run in it",
            evidence=tuple(Evidence(one.place, "the option is set here") for one in session.options),
            guard=session.occurrence.guard,
            fix=fix,
            unfixable_reason=reason,
        )
