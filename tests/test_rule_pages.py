"""Every example of every rule's page: what is found, because of what, and what the fix makes of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from page_examples import DEFAULT_NAME, Example, evidence_marks, examples, found_marks, settings_for, shown

import mpfix

EXAMPLES = [pytest.param(example, id=example.id) for example in examples()]
FIXABLE = [pytest.param(example, id=example.id) for example in examples() if example.is_flagged]


def is_well_worded(message: str) -> bool:
    """Whether a message starts in lower case, or with code, and has no final period."""
    return bool(message) and (message[0].islower() or message[0] in "`[(0123456789") and not message.endswith(".")


@pytest.mark.parametrize("example", EXAMPLES)
def test_example_has_exactly_its_marks(example: Example, tmp_path: Path) -> None:
    paths = example.write(tmp_path)

    report = mpfix.check(paths, settings_for(example), with_fixes=False)

    assert not report.errors, shown(report)
    assert found_marks(report, tmp_path) == example.expected, shown(report)
    assert not [item.message for item in report.diagnostics if not is_well_worded(item.message)]
    # what lies on the line of the finding itself need not be marked twice
    evidence = evidence_marks(report, tmp_path) - example.expected
    assert evidence == example.because - example.expected, shown(report)


@pytest.mark.parametrize("example", FIXABLE)
def test_fix_gives_the_text_that_the_page_shows(example: Example, tmp_path: Path) -> None:
    paths = example.write(tmp_path)
    code = example.page.rule.code
    settings = replace(settings_for(example), fixable=(code,), unsafe_fixes=True)

    report = mpfix.apply(paths, settings)

    titles = [item.fix.message for item in report.diagnostics if item.fix is not None]
    reasons = [item.unfixable_reason for item in report.diagnostics] + [skip.reason for skip in report.skipped_fixes]
    assert not report.errors, shown(report)
    assert not [title for title in titles if title.endswith(".")]
    if example.fixed is None:
        # a page without a `fixed` block says that there is no fix to apply
        assert not report.written, Path(paths[0]).read_text(encoding="utf-8")
        return
    assert (tmp_path / DEFAULT_NAME).read_bytes().decode() == example.fixed, reasons
    assert code not in report.by_code, shown(report)
    again = mpfix.apply(paths, settings)
    assert not again.written, "fixing twice must be fixing once"
