"""What each layer computes in, for people who ask: read off the programs of all components; no rule is run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from mpfix.diagnostic import Span
from mpfix.engine.analysis import component_of, with_generations
from mpfix.engine.components import Unit, form_units
from mpfix.engine.inputs import read_inputs
from mpfix.engine.run_rules import Component, component_crash
from mpfix.engine.run_units import guarded
from mpfix.engine.statements import report_span
from mpfix.frameworks import interpret
from mpfix.frameworks.layer_dtypes import LayerDtype, layer_dtypes
from mpfix.report import LayerReport, LayerRow, RunError
from mpfix.semantic.guards import describe
from mpfix.semantic.syntax import Place
from mpfix.settings import Settings
from mpfix.source.document import Document

WORDS = ("keras", "tensorflow", "layers")
"""A file without any of these builds no layer."""


def list_layers(
    paths: Sequence[str | Path],
    settings: Settings,
    *,
    context: bool = True,
    stdin: bytes | None = None,
    stdin_filename: str | None = None,
) -> LayerReport:
    """The layers of files and folders; the arguments are those of `check`."""
    inputs = read_inputs(paths, settings, stdin=stdin, stdin_filename=stdin_filename)
    rows: list[LayerRow] = []
    errors = list(inputs.errors)
    for unit in form_units(inputs.documents, settings, _may_build, context=context, folders=inputs.folders):
        if unit.may_matter:
            rows += _layers_or_crash(unit, settings, errors)
    return LayerReport(
        tuple(sorted(dict.fromkeys(rows), key=lambda row: row.sort_key)),
        tuple(sorted(errors, key=lambda error: error.sort_key)),
        len(inputs.documents),
    )


def _may_build(document: Document) -> bool:
    return any(word in document.text for word in WORDS)


def _layers_or_crash(unit: Unit, settings: Settings, errors: list[RunError]) -> tuple[LayerRow, ...]:
    def failed(error: Exception) -> tuple[LayerRow, ...]:
        errors.append(component_crash(unit.documents[0].display, error))
        return ()

    return guarded(lambda: tuple(_layers(unit, settings, errors)), failed)


def _layers(unit: Unit, settings: Settings, errors: list[RunError]) -> Iterator[LayerRow]:
    component, broken = component_of(unit, settings)
    for document, problem in broken:
        errors.append(RunError(document.display, f"does not parse: {problem.message} (line {problem.line})"))
    if component is None:
        return
    component = with_generations(component, settings)
    for generation in component.generations:
        yield from _of_generation(component, generation)


def _of_generation(component: Component, generation: int) -> Iterator[LayerRow]:
    program = interpret(
        component.all_modules,
        generation=generation,
        generations=component.generations,
        assume_policy=component.assume_policy,
        limits=component.limits,
        project=component.project,
    )
    for one in layer_dtypes(program):
        if one.place.module in component.modules:
            yield _row(one, generation)


def _row(one: LayerDtype, generation: int) -> LayerRow:
    return LayerRow(
        report_span(one.place),
        one.layer,
        one.name,
        one.dtype,
        one.policy,
        one.reason,
        _span(one.decided),
        describe(one.guard) or None,
        str(generation),
    )


def _span(place: Place | None) -> Span | None:
    return None if place is None else report_span(place)
