"""Packs of rules: finding the rules of a pack, choosing among them with selectors, and the page of a rule."""

from __future__ import annotations

import fnmatch
import importlib
import pkgutil
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import ModuleType

from mpfix.diagnostic import Severity
from mpfix.errors import UsageError
from mpfix.record import record
from mpfix.rule import Rule
from mpfix.settings import Settings, nearest

BUILT_IN_PACK = "mpfix_rules"

_CODE = re.compile(r"[A-Z]+[0-9]+")


@record
class RegisteredRule:
    """A rule and the module that holds it."""

    rule: Rule
    module: str


@record
class Registry:
    """The rules of all packs of a run, sorted by code."""

    registered: tuple[RegisteredRule, ...]

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, by code."""
        return tuple(entry.rule for entry in self.registered)

    @property
    def by_code(self) -> Mapping[str, Rule]:
        """Rules by code."""
        return {entry.rule.code: entry.rule for entry in self.registered}

    @property
    def families(self) -> Mapping[str, str]:
        """Name of each family by its selector, such as `MP2`: letters and the first digit."""
        return {_hundred(rule.code): rule.family for rule in self.rules}

    def find(self, code_or_name: str) -> Rule:
        """The rule with this code or name, in any case.

        Raises:
            UsageError: there is none; the nearest is named.
        """
        for rule in self.rules:
            if code_or_name.casefold() in {rule.code.casefold(), rule.name}:
                return rule
        raise UsageError(f"unknown rule `{code_or_name}`{self.hint(code_or_name)}")

    def page(self, rule: Rule) -> str:
        """The Markdown page of a rule, from the file beside its module; empty where a pack has none."""
        module = next(entry.module for entry in self.registered if entry.rule is rule)
        package, _, stem = module.rpartition(".")
        import importlib.resources

        resource = importlib.resources.files(package).joinpath(f"{stem}.md")
        return resource.read_text(encoding="utf-8") if resource.is_file() else ""

    def selected(self, settings: Settings) -> Selection:
        """What the selectors of the settings choose.

        Raises:
            UsageError: a selector names no rule.
        """
        return Selection(
            selected=frozenset(rule.code for rule in self.rules if self._is_selected(rule, settings)),
            fixable=frozenset(rule.code for rule in self.rules if self._is_fixable(rule, settings)),
            with_notes=frozenset(rule.code for rule in self.rules if self._asked_for(rule, settings) >= 0),
            per_file=self._per_file(settings),
            root=settings.root,
        )

    def _is_selected(self, rule: Rule, settings: Settings) -> bool:
        by_default = 0 if settings.select is None and _by_default(rule) else -1
        chosen = max(by_default, self._asked_for(rule, settings))
        # the more exact selector wins; between equals ignoring does
        return chosen > self._strength(rule, settings.ignore, settings, "ignore")

    def _asked_for(self, rule: Rule, settings: Settings) -> int:
        return max(
            self._strength(rule, settings.select or (), settings, "select"),
            self._strength(rule, settings.extend_select, settings, "extend-select"),
        )

    def _is_fixable(self, rule: Rule, settings: Settings) -> bool:
        wanted = self._strength(rule, settings.fixable, settings, "fixable")
        return wanted > self._strength(rule, settings.unfixable, settings, "unfixable")

    def _per_file(self, settings: Settings) -> tuple[tuple[str, frozenset[str]], ...]:
        return tuple(
            (
                glob,
                frozenset(
                    r.code for r in self.rules if self._strength(r, selectors, settings, "per-file-ignores") >= 0
                ),
            )
            for glob, selectors in settings.per_file_ignores
        )

    def _strength(self, rule: Rule, selectors: Iterable[str], settings: Settings, key: str) -> int:
        """How exactly the best of the selectors names the rule: its length, 0 for `ALL`, -1 for not at all."""
        best = -1
        for selector in selectors:
            self._require(selector, settings, key)
            best = max(best, _match(rule, selector))
        return best

    def _require(self, selector: str, settings: Settings, key: str) -> None:
        if any(_match(rule, selector) >= 0 for rule in self.rules):
            return
        kind = "code" if re.fullmatch(r"[A-Za-z]{2}\d+", selector) else "selector"
        raise UsageError(f"{settings.label(key)}: unknown {kind} `{selector}`{self.hint(selector)}")

    def hint(self, word: str) -> str:
        """The end of a sentence about an unknown `word`: the nearest selector; empty where none is near."""
        known = [*(rule.code for rule in self.rules), *(rule.name for rule in self.rules), *self.families, "ALL"]
        close = nearest(word, known)
        return f"; the nearest is `{close}`" if close else ""


@record
class Selection:
    """Codes that are looked for and codes that may be fixed."""

    selected: frozenset[str]
    fixable: frozenset[str]
    with_notes: frozenset[str] = frozenset()
    """Codes whose notes are told too: somebody asked for the rule."""
    per_file: tuple[tuple[str, frozenset[str]], ...] = ()
    root: Path = Path()

    def ignored_in(self, path: Path) -> frozenset[str]:
        """Codes that `per-file-ignores` silences in a file."""
        try:
            relative = path.absolute().relative_to(self.root.absolute()).as_posix()
        except ValueError:
            relative = path.as_posix()
        name = PurePosixPath(relative).name
        hits = [
            codes
            for glob, codes in self.per_file
            if fnmatch.fnmatch(relative, glob) or fnmatch.fnmatch(name, glob) or fnmatch.fnmatch(relative, f"{glob}/*")
        ]
        return frozenset().union(*hits)


def load_registry(packs: Iterable[str] = ()) -> Registry:
    """The rules of the built-in pack and of `packs`, import names.

    Raises:
        UsageError: a pack cannot be imported, or two rules share a code or a name.
    """
    found = [entry for pack in (BUILT_IN_PACK, *packs) for entry in _rules_of(pack)]
    seen: dict[str, RegisteredRule] = {}
    for entry in found:
        for identity in (entry.rule.code, entry.rule.name):
            other = seen.setdefault(identity, entry)
            if other is not entry:
                raise UsageError(f"rule `{identity}` is defined twice: in `{other.module}` and in `{entry.module}`")
    return Registry(tuple(sorted(found, key=lambda entry: entry.rule.code)))


def _rules_of(pack: str) -> Iterator[RegisteredRule]:
    package = _import(pack, pack)
    names = [package.__name__]
    if hasattr(package, "__path__"):
        names += sorted(info.name for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."))
    for name in names:
        module = _import(name, pack)
        for _, value in sorted(vars(module).items()):
            # a rule that another module imports belongs to the module that defines it
            if isinstance(value, Rule) and value.check.__module__ == name:
                yield RegisteredRule(value, name)


def _import(name: str, pack: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(f"rule pack `{pack}` cannot be imported: {error}") from error


def _by_default(rule: Rule) -> bool:
    return any(severity is not Severity.NOTE for severity in rule.severity.values())


def _match(rule: Rule, selector: str) -> int:
    """Length of the selector if it stands for the rule, 0 for `ALL`, else -1; a name is as exact as its code."""
    if selector == "ALL":
        return 0
    folded = selector.casefold()
    if folded == rule.name:
        return len(rule.code)
    # a selector that is only letters and digits in part: `MP`, `MP2`, `MP20`, `MP201`
    return len(selector) if folded and rule.code.casefold().startswith(folded) else -1


def _hundred(code: str) -> str:
    match = _CODE.fullmatch(code)
    letters = code.rstrip("0123456789")
    return code[: len(letters) + 1] if match else code
