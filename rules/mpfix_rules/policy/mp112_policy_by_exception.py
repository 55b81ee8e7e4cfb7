"""MP112: a policy set to see whether that fails."""

from __future__ import annotations

from collections.abc import Iterator

from mpfix.diagnostic import Severity
from mpfix.frameworks.policy_facts import probes
from mpfix.rule import Evidence, Finding, rule
from mpfix.semantic.program import Program


@rule("MP112", "policy-by-exception", severity=Severity.WARNING, words=("policy",), half=True)
def policy_by_exception(program: Program) -> Iterator[Finding]:
    """Policies with a fallback that never comes."""
    for probe in probes(program):
        name = probe.tried.constant("policy.name")
        yield Finding(
            probe.tried.place,
            f"setting `{name}` fails on no device: the fallback in `except` never comes",
            evidence=(Evidence(probe.fallback, "the fallback"),),
            guard=probe.tried.guard,
            unfixable_reason="which devices are meant is not in the code",
        )
