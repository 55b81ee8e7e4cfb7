"""MP802: GPU options in a session that no training code runs in."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.sessions import VainSession, vain_sessions
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
            _message(session),
            evidence=_evidence(session),
            guard=session.occurrence.guard,
            fix=fix,
            unfixable_reason=reason,
        )


def _message(session: VainSession) -> str:
    if session.used is None:
        return (
            "eager code and Keras do not run in this session of TensorFlow 1: "
            "they have its GPU options only while nothing uses the GPU before it"
        )
    return "the GPU options of this session come too late: eager code has set the GPU up without them"


def _evidence(session: VainSession) -> tuple[Evidence, ...]:
    options = tuple(Evidence(one.place, "the option is set here") for one in session.options)
    if session.used is None:
        return options
    return (*options, Evidence(session.used, "the GPU is in use from here on at the latest"))
