"""`mpfix validate`: run the script before and after the fixes, and compare."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mpfix import __version__
from mpfix.cli import console, options, validate_options
from mpfix.cli.exit_status import ExitStatus
from mpfix.cli.progress import progress_bar

if TYPE_CHECKING:
    from mpfix.validation import ValidationReport


def validate(
    script: validate_options.Script,
    arguments: validate_options.Arguments = None,
    steps: validate_options.Steps = 8,
    warmup: validate_options.Warmup = 2,
    repeat: validate_options.Repeat = 3,
    seed: validate_options.Seed = 0,
    timeout: validate_options.Timeout = 300.0,
    memory_limit: validate_options.MemoryLimit = None,
    scratch: validate_options.Scratch = False,
    define: validate_options.Define = None,
    policies: validate_options.Policies = None,
    batch_sizes: validate_options.BatchSizes = None,
    fail_on_regression: validate_options.FailOnRegression = False,
    unsafe_fixes: options.UnsafeFixes = False,
    select: options.Select = None,
    ignore: options.Ignore = None,
    extend_select: options.ExtendSelect = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
    keras: options.Keras = None,
    assume_policy: options.AssumePolicy = None,
    output_format: validate_options.ReportFormat = "text",
    quiet: options.Quiet = False,
) -> ExitStatus:
    """Run a training script before and after the fixes for a few steps; compare memory, time and numerics."""
    given = locals()
    chosen = validate_options.options_from(given)
    settings = options.settings_from({**given, "paths": [script], "output_format": None})
    from mpfix.validate.measure import validate as run

    with progress_bar(is_wanted=not quiet) as watch:
        report = run(chosen, settings, watch=watch)
    console.write(_rendered(report, output_format))
    if report.failure is not None:
        return ExitStatus.FAILED
    return ExitStatus.FINDINGS if fail_on_regression and report.has_regression else ExitStatus.CLEAN


def _rendered(report: ValidationReport, output_format: str) -> str:
    """The report in a format; only the reporter that is asked for is imported."""
    if output_format == "json":
        from mpfix.reporters.validation_json import validation_json

        return validation_json(report, version=__version__)
    if output_format == "markdown":
        from mpfix.reporters.validation_markdown import validation_markdown

        return validation_markdown(report)
    from mpfix.reporters.validation_text import validation_text

    return validation_text(report, width=console.width(), color=console.has_color())
