"""From the records of a variant's runs to its figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from mpfix.validate.endings import shown_place
from mpfix.validate.plan import Options, Variant
from mpfix.validate.runner import ChildResult, Line
from mpfix.validation import (
    Ending,
    GradientFigures,
    LayerFigures,
    MemoryFigures,
    Numerics,
    Spread,
    VariantResult,
)

HALF = ("float16", "bfloat16")
KINDS = ("compiled", "returned", "differentiated")
"""Which loss of a step counts, best first."""
PROCESS = "process memory above the level before the first step"


def variant_result(
    variant: Variant,
    options: Options,
    memory_runs: Sequence[ChildResult],
    numerics: ChildResult,
    reference: ChildResult | None,
    ending: Ending,
) -> VariantResult:
    """All figures of one variant."""
    runs = [*memory_runs, numerics]
    summary = _summary(numerics) or next((found for run in memory_runs if (found := _summary(run))), {})
    packages = summary.get("keras", [])
    return VariantResult(
        label=variant.label,
        ending=ending,
        steps=len(numerics.of_kind("step")),
        policy=variant.policy or summary.get("policy"),
        batch_size=variant.batch_size,
        memory=_memory([found for run in memory_runs if (found := _summary(run))]),
        step_seconds=_seconds(memory_runs, options.warmup),
        first_seconds=_first_seconds(memory_runs),
        loss_spread=_loss_spread(memory_runs),
        traces=next((found.get("traces", {}) for run in memory_runs if (found := _summary(run))), {}),
        numerics=numerics_of(numerics, reference, options.script) if numerics.of_kind("step") else None,
        files=_names(runs, "file"),
        diverted=_names(runs, "diverted"),
        stand_ins=_names(runs, "stand_in"),
        problems=_names(runs, "problem"),
        versions=summary.get("versions", {}),
        keras=packages[-1] if packages else None,
        backend=summary.get("backend"),
        gpus=tuple(summary.get("gpus", ())),
        left_running=max(run.left_running for run in runs),
    )


def wants_reference(result: ChildResult) -> bool:
    """Whether a float32 run can tell something: the script computes in half precision, or wraps its optimizer."""
    summary = _summary(result)
    halves = any(row["compute"] in HALF for row in summary.get("layers", ()))
    return bool(result.of_kind("step")) and (halves or bool(summary.get("wrapped")))


def numerics_of(result: ChildResult, reference: ChildResult | None, script: Path) -> Numerics:
    """What the run with probes saw, and how it compares with float32."""
    steps, summary = result.of_kind("step"), _summary(result)
    losses, kind, dtype = _losses(steps)
    # a run that was killed has no summary, but its last step
    totals = {**steps[-1], **summary}
    return Numerics(
        losses=losses,
        loss_kind=kind,
        loss_dtype=dtype,
        scales=tuple(step["scales"][-1] for step in steps if step["scales"]),
        evaluations=totals["evaluations"],
        updates=totals["updates"],
        skipped=totals["skipped"],
        gradient_ratio=_ratio(result, reference, "gradient_norm"),
        update_ratio=_ratio(result, reference, "update_norm"),
        nonfinite=_nonfinite(result, summary, script),
        gradients=_gradients(summary, _summary(reference) if reference else {}),
        layers=_layers(summary, script),
    )


def _summary(result: ChildResult) -> Mapping[str, Any]:
    return result.last("summary") or {}


def _losses(steps: Sequence[Line]) -> tuple[tuple[float, ...], str, str | None]:
    """The losses of the kind that most steps have; several in one step are added up."""
    for kind in KINDS:
        found = [step["losses"][kind] for step in steps if kind in step["losses"]]
        if len(found) >= max(1, len(steps) - 1):
            dtypes = [dtype for pairs in found for _, dtype in pairs]
            half = next((dtype for dtype in dtypes if dtype in HALF), None)
            return tuple(sum(float(value) for value, _ in pairs) for pairs in found), kind, half or dtypes[0]
    return (), "", None


def distance(one: float, other: float) -> float:
    """How far two losses are apart, relative to the larger one."""
    return abs(one - other) / max(abs(one), abs(other), 1e-12)


def _loss_spread(runs: Sequence[ChildResult]) -> float | None:
    """What differs from run to run of one and the same text; None where runs tell no loss, or there is but one."""
    curves = [_losses(steps)[0] for run in runs if (steps := run.of_kind("step"))]
    pairs = [pair for curve in curves[1:] for pair in zip(curves[0], curve, strict=False)]
    return max((distance(*pair) for pair in pairs if all(map(math.isfinite, pair))), default=None)


def _ratio(result: ChildResult, reference: ChildResult | None, name: str) -> float | None:
    """One figure of the first update that both runs made, divided: later ones start from different weights."""
    if reference is None:
        return None
    mine, theirs = (
        next((float(line[name]) for line in run.of_kind("update") if line["has_update"] and _counts(line[name])), None)
        for run in (result, reference)
    )
    return mine / theirs if mine is not None and theirs else None


def _counts(value: Any) -> bool:
    return value is not None and math.isfinite(float(value)) and float(value) > 0


def _nonfinite(result: ChildResult, summary: Mapping[str, Any], script: Path) -> str | None:
    """What gave the first number that is not finite: a layer, or a gradient that an update was made with."""
    output = result.last("nonfinite")
    gradient = next((line for line in result.of_kind("update") if line["has_update"] and line["nonfinite"]), None)
    if gradient is not None and (output is None or output["number"] > gradient["number"]):
        return _of_gradient(gradient, summary, script)
    return None if output is None else _of_output(output, script)


def _of_output(line: Line, script: Path) -> str:
    cause = "its weights were no longer finite" if not line["weights_finite"] else None
    if cause is None and not line["inputs_finite"]:
        cause = "its input was not finite"
    where = f", built at {shown_place(line['place'], script)}" if line["place"] else ""
    return (
        f"the output of `{line['layer']}` ({line['layer_class']}, {line['dtype']}{where}) in step {line['number']}"
        f"{f': {cause}' if cause else ''}"
    )


def _of_gradient(line: Line, summary: Mapping[str, Any], script: Path) -> str:
    name = line["nonfinite"][0]
    owners = (row["place"] for row in summary.get("layers", ()) if row["name"] in name.split("/")[:-1])
    place = next(filter(None, owners), None)
    where = f" (its layer built at {shown_place(place, script)})" if place else ""
    return f"the gradient of `{name}`{where} in step {line['number']}"


def _gradients(summary: Mapping[str, Any], reference: Mapping[str, Any]) -> tuple[GradientFigures, ...]:
    known = reference.get("gradients", {})
    return tuple(
        GradientFigures(
            name,
            shares["zeros"],
            known[name]["zeros"] if name in known else None,
            known[name]["lost_unscaled"] if name in known else None,
            known[name]["lost_scaled"] if name in known else None,
        )
        for name, shares in summary.get("gradients", {}).items()
    )


def _layers(summary: Mapping[str, Any], script: Path) -> tuple[LayerFigures, ...]:
    rows = summary.get("layers", ())
    halves = any(row["compute"] in HALF for row in rows)
    return tuple(
        LayerFigures(
            row["name"],
            row["class"],
            row["compute"],
            row["variable"],
            row["output"],
            shown_place(row["place"], script) if row["place"] else None,
            row["reason"],
            is_island=halves and row["compute"] == "float32",
        )
        for row in rows
    )


def _memory(summaries: Sequence[Mapping[str, Any]]) -> MemoryFigures | None:
    figures = [summary["memory"] for summary in summaries]
    if not figures:
        return None
    first, sizes = figures[0], summaries[0]["bytes"]
    if first["devices"]:
        # TensorFlow sees a GPU on which another backend trains
        device = max(first["devices"], key=lambda name: _device_peak(first, name))
        peaks = Spread(tuple(_device_peak(item, device) for item in figures))
        steady = Spread(tuple(float(item["devices"][device]["peak"]) for item in figures))
        label, allocator = f"peak of the GPU's allocator ({device})", None
        planned = [_planned(item, device, sizes["variables"]) for item in figures]
        if None not in planned:
            label, allocator = f"peak of a step on the GPU ({device}, as XLA planned it)", peaks.middle
            peaks = steady = Spread(tuple(filter(None, planned)))
        reserved, process = first["devices"][device].get("reserved"), first["gpu_process"]
        return MemoryFigures(
            label, True, peaks, steady, sizes["variables"], sizes["slots"], reserved, process, allocator
        )
    if any(item["level"] is None or item["peak"] is None for item in figures):
        return None
    peaks = Spread(tuple(float(max(item["peak_first"] or 0, item["peak"]) - item["level"]) for item in figures))
    steady = Spread(tuple(float(item["peak"] - item["level"]) for item in figures))
    # an accelerator whose allocator keeps no statistics
    where = "host only" if summaries[0].get("gpus") else "CPU"
    return MemoryFigures(f"{PROCESS} ({where})", False, peaks, steady, sizes["variables"], sizes["slots"])


def _device_peak(figures: Mapping[str, Any], device: str) -> float:
    first = figures["devices_first"].get(device, {}).get("peak", 0)
    return float(max(first, figures["devices"][device]["peak"]))


def _planned(figures: Mapping[str, Any], device: str, variables: int) -> float | None:
    """The peak of a step by the plan of the program that is given the variables; None where there is none."""
    found = figures["devices"][device]
    given = found.get("given", 0)
    if not given or 2 * given < variables:
        return None
    return float(min(max(found["current"], given) + found["more"], _device_peak(figures, device)))


def _seconds(runs: Sequence[ChildResult], warmup: int) -> Spread | None:
    medians = [
        median(step["seconds"] for step in steps[warmup:]) for run in runs if len(steps := run.of_kind("step")) > warmup
    ]
    return Spread(tuple(medians)) if medians else None


def _first_seconds(runs: Sequence[ChildResult]) -> float | None:
    firsts = [steps[0]["seconds"] for run in runs if (steps := run.of_kind("step"))]
    return median(firsts) if firsts else None


def _names(runs: Sequence[ChildResult], kind: str) -> tuple[str, ...]:
    lines = [line for run in runs for line in run.of_kind(kind)]
    return tuple(sorted({f"{line['name']} ({line['what']})" if "what" in line else line["name"] for line in lines}))
