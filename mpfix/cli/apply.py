"""`mpfix apply`: write the fixes."""

from __future__ import annotations

from mpfix.cli import console, options, output
from mpfix.cli.exit_status import ExitStatus, status_of


def apply(
    paths: options.Paths = None,
    diff: options.Diff = False,
    unsafe_fixes: options.UnsafeFixes = False,
    select: options.Select = None,
    ignore: options.Ignore = None,
    extend_select: options.ExtendSelect = None,
    config: options.Config = None,
    isolated: options.Isolated = False,
    exclude: options.Exclude = None,
    extend_exclude: options.ExtendExclude = None,
    force_exclude: options.ForceExclude = False,
    stdin_filename: options.StdinFilename = None,
    keras: options.Keras = None,
    assume_policy: options.AssumePolicy = None,
    no_context: options.NoContext = False,
    no_cache: options.NoCache = False,
    cache_dir: options.CacheDir = None,
    jobs: options.Jobs = 0,
    fail_on: options.FailOn = None,
    exit_zero: options.ExitZero = False,
    output_format: options.OutputFormat = None,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> ExitStatus:
    """Write the safe fixes, or show them; report what is left."""
    settings = options.settings_from(locals())
    from mpfix.engine import pipeline

    report = pipeline.apply(
        paths or (".",),
        settings,
        diff=diff,
        verbose=verbose,
        context=not no_context,
        jobs=jobs,
        cache=not no_cache,
        stdin=console.standard_input(paths),
        stdin_filename=stdin_filename,
    )
    output.show_apply(report, settings.output_format, diff=diff, quiet=quiet, verbose=verbose)
    return status_of(report, fail_on=settings.fail_on, exit_zero=exit_zero)
