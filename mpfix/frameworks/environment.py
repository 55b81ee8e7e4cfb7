"""What a program asks about where it runs: versions, environment variables, command-line flags.

A version is a record of `samples`: what the value is under each release that the generation may stand for. Text
functions, indexing and comparisons are computed for every sample; where all agree the result is a constant.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpfix.frameworks import flag_defaults
from mpfix.frameworks.half_values import known_number
from mpfix.frameworks.handlers import Functions, Method, Methods
from mpfix.frameworks.keys import canonical, public_names
from mpfix.frameworks.moves import removed
from mpfix.frameworks.rows import stable
from mpfix.semantic.conditions import COMPARISONS
from mpfix.semantic.containers import list_content
from mpfix.semantic.operators import BINARY
from mpfix.semantic.run import Run
from mpfix.semantic.syntax import Place
from mpfix.semantic.values import (
    FALSE_VALUE,
    NONE,
    Arguments,
    Bound,
    Constant,
    Library,
    Mapping,
    Object,
    Record,
    Sequence,
    Unknown,
    Value,
    widened,
)

if TYPE_CHECKING:
    from mpfix.frameworks.library import KerasLibrary

Release = tuple[int, ...]

TENSORFLOW = {
    2: tuple(f"2.{minor}.{patch}" for minor in range(4, 16) for patch in (0, 1)),
    3: tuple(f"2.{minor}.{patch}" for minor in range(16, 22) for patch in (0, 1)),
}
"""TensorFlow releases that bring a generation of Keras; the namespaces of mixed precision are stable since 2.4."""

KERAS = {
    2: ("2.4.3", *(f"2.{minor}.0" for minor in range(5, 16))),
    3: tuple(f"3.{minor}.0" for minor in range(5, 16)),
}
PYTHON = tuple((3, minor, 0, "final", 0) for minor in range(9, 14))

VERSIONS = {
    "tensorflow.__version__": TENSORFLOW,
    "tensorflow.version.VERSION": TENSORFLOW,
    "tensorflow.VERSION": TENSORFLOW,
    "keras.__version__": KERAS,
}
PACKAGES = {"tensorflow": TENSORFLOW, "keras": KERAS, "tensorflow-gpu": TENSORFLOW, "tensorflow-cpu": TENSORFLOW}

TEXT_METHODS = frozenset({"split", "rsplit", "startswith", "endswith", "strip", "replace", "partition", "rpartition"})
RELEASE_FIELDS: dict[str, Callable[[Release], Any]] = {
    "major": lambda release: release[0],
    "minor": lambda release: release[1],
    "release": lambda release: release,
    "version": lambda release: list(release),
    "base_version": lambda release: ".".join(map(str, release)),
}


def known_name(generation: int, key: str, place: Place | None) -> Value | None:
    """A name whose value is known, or decided by the generation: versions, `TYPE_CHECKING`, `np.inf`."""
    if key == "typing.TYPE_CHECKING":
        return FALSE_VALUE
    if key in VERSIONS and place is not None:
        return _value(VERSIONS[key][generation], place)
    if key == "sys.version_info" and place is not None:
        return _value(PYTHON, place)
    if key.rpartition(".")[2] == "FLAGS" and key.partition(".")[0] in ("absl", "tensorflow"):
        return stable(key)
    return known_number(key)


def has_name(generation: int, owner: Library, name: str) -> bool | None:
    """`hasattr(keras, "ops")`: what the generation decides; None where releases of one generation differ."""
    key = canonical(f"{owner.key}.{name}")
    if key.name in STUBS:
        return True
    if key.generation is not None:
        return key.generation == generation
    if name in public_names(owner.key):
        return True
    return False if generation == 3 and removed(f"{owner.key}.{name}") is not None else None


STUBS = frozenset({"keras.optimizers.legacy"})
"""Names of Keras 2 that Keras 3 keeps, with nothing that works behind them."""

# -- versions


def _value(samples: tuple[Any, ...], place: Place) -> Value:
    """One value for what it is under each release: a constant where they agree, a condition where it is a test."""
    first = samples[0]
    if all(type(one) is type(first) and one == first for one in samples) and not isinstance(first, tuple):
        return Constant(first)
    if isinstance(first, bool):
        return Unknown(("version", samples), " ".join(ast.unparse(place.node).split())[:60])
    if isinstance(first, tuple) and isinstance(first[0], str) and len({len(one) for one in samples}) == 1:
        return Sequence(tuple(_value(column, place) for column in zip(*samples, strict=True)))
    return Record("version", place, {"samples": Constant(samples)})


def _samples(run: Run, value: Value) -> tuple[Any, ...] | None:
    """What a value is under each release; a plain constant is the same under all."""
    value = widened(value)
    if isinstance(value, Record) and value.kind == "version":
        samples = value.get("samples")
        return samples.value if isinstance(samples, Constant) else None
    if isinstance(value, Constant):
        return (value.value,)
    content = list_content(run, value)
    if content is None or content.open:
        return None
    return _rows([_samples(run, one) for one in content.items])


def _rows(columns: list[tuple[Any, ...] | None]) -> tuple[Any, ...] | None:
    """Columns of samples as one row for each release; None where one is not known."""
    known = [column for column in columns if column is not None]
    count = max(map(len, known), default=1)
    if len(known) < len(columns) or any(len(column) not in (1, count) for column in known):
        return None
    return tuple(zip(*(column * count if len(column) == 1 else column for column in known), strict=True)) or ((),)


def computed(run: Run, compute: Callable[..., Any], operands: tuple[Value, ...], node: ast.AST) -> Value | None:
    """A function of versions and constants, computed under each release; None where that cannot be."""
    rows = _rows([_samples(run, one) for one in operands])
    if rows is None:
        return None
    try:
        return _value(tuple(_plain(compute(*row)) for row in rows), run.place(node))
    except (TypeError, ValueError, LookupError, AttributeError):
        return None


def _plain(result: Any) -> Any:
    """A list as a tuple: what is compared and kept is immutable."""
    return tuple(result) if isinstance(result, list) else result


def is_version(run: Run, value: Value) -> bool:
    """Whether a value is a version, or was computed from one."""
    inner = widened(value)
    if isinstance(inner, Record):
        return inner.kind == "version"
    content = list_content(run, inner) if isinstance(inner, (Sequence, Object)) else None
    return content is not None and any(is_version(run, one) for one in content.items)


def version_operator(run: Run, name: str, operands: tuple[Value, ...], node: ast.AST) -> Value | None:
    """Comparisons, arithmetic and conversions of versions."""
    convert: dict[str, Callable[..., Any]] = {"int": int, "float": float, "str": str, "bool": bool}
    compute = COMPARISONS.get(name) or convert.get(name) or BINARY.get(name)
    return computed(run, compute, operands, node) if compute is not None else None


def version_item(run: Run, version: Record, key: Value, node: ast.AST) -> Value | None:
    """`version[0]` and `version.split(".")[1]`; slices give what they give."""
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        bounds = _slice(node.slice)
        return computed(run, lambda one: one[bounds], (version,), node) if bounds is not None else None
    return computed(run, lambda one, index: one[index], (version, key), node)


def _slice(node: ast.Slice) -> slice | None:
    bounds = []
    for part in (node.lower, node.upper, node.step):
        if part is not None and not (isinstance(part, ast.Constant) and isinstance(part.value, int)):
            return None
        bounds.append(part.value if isinstance(part, ast.Constant) else None)
    return slice(*bounds)


def version_attribute(run: Run, version: Record, name: str, node: ast.AST) -> Value | None:
    """`parse(v).major`, `sys.version_info.minor`, `tf.__version__.split`."""
    if name in TEXT_METHODS:
        return Bound(Library(f"version.{name}"), version)
    read = RELEASE_FIELDS.get(name)
    return computed(run, lambda one: read(_release(one)), (version,), node) if read is not None else None


def _release(version: Any) -> Release:
    """A version as numbers: `"2.16.1"` is (2, 16, 1); what follows a number in a part is left out."""
    if isinstance(version, tuple):
        return version
    numbers = []
    for part in str(version).split("+")[0].split("."):
        digits = part[: next((i for i, sign in enumerate(part) if not sign.isdigit()), len(part))]
        if not digits:
            break
        numbers.append(int(digits))
    if not numbers:
        raise ValueError(version)
    return tuple(numbers)


def _parse(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`packaging.version.parse(text)`, `LooseVersion(text)`: versions that compare as numbers do."""
    given = arguments.get(0, "version")
    if given is None:
        return None

    def parse(text: Any) -> Release:
        release = _release(text)
        while len(release) > 1 and release[-1] == 0:
            release = release[:-1]
        return release

    return run.each(given, lambda one: computed(run, parse, (one,), node) or run.unknown(node))


def _installed(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`importlib.metadata.version("tensorflow")`."""
    name = arguments.get(0, "distribution_name")
    found = PACKAGES.get(name.value) if isinstance(name, Constant) else None
    return _value(found[lib.generation], run.place(node)) if found is not None else None


def _keras_version(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    return _value(KERAS[lib.generation], run.place(node))


def _text_method(name: str) -> Method:
    def handler(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
        operands = (receiver, *arguments.positional)
        return computed(run, lambda text, *given: getattr(text, name)(*given), operands, node)

    return handler


# -- environment variables


def variable(run: Run, name: Value) -> Value | None:
    """What the program itself put into an environment variable; None where it did not."""
    return run.get_global(f"environment {name.value}") if isinstance(name, Constant) else None


def set_variable(run: Run, name: Value, value: Value) -> None:
    """`os.environ[name] = value`."""
    if isinstance(name, Constant):
        run.set_global(f"environment {name.value}", value)


def _set_default(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    name, value = arguments.get(0, "key"), arguments.get(1, "value")
    if name is None or value is None:
        return None
    known = variable(run, name)
    if known is None:
        # a variable that is set already keeps what it has: for the program that is the same choice
        set_variable(run, name, value)
    return known or value


def _put(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    name, value = arguments.get(0, "name"), arguments.get(1, "value")
    if name is not None and value is not None:
        set_variable(run, name, value)
    return NONE


def _update(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    first = arguments.positional[0] if arguments.positional else NONE
    content = run.get(first, "content") if isinstance(first, Object) and first.kind == "dict" else NONE
    for name, value in content.entries if isinstance(content, Mapping) else ():
        set_variable(run, name, value)
    for keyword, value in arguments.keywords:
        set_variable(run, Constant(keyword), value)
    return NONE


def _backend(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`keras.backend.backend()`: the one the program chose, else the one that is modelled."""
    chosen = variable(run, Constant("KERAS_BACKEND")) if lib.generation == 3 else None
    return chosen or Constant("tensorflow")


def _import(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    """`importlib.import_module("name")` of a module outside of the project is what `import name` gives."""
    name = arguments.get(0, "name")
    if not isinstance(name, Constant) or not isinstance(name.value, str) or name.value.startswith("."):
        return None
    is_inside = run.project is not None and run.module is not None and run.project.find(run.module, name.value, 0)
    return None if is_inside else lib.name(name.value)


# -- command-line flags


def _parser(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value | None:
    return run.new_object("parser", node, key=function.key)


def _arguments(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    """`parser.parse_args()`: the same however often it is asked."""
    return Unknown(("stable", "arguments", receiver), "args")


def _known_arguments(lib: KerasLibrary, run: Run, receiver: Value, arguments: Arguments, node: ast.AST) -> Value | None:
    return Sequence((Unknown(("stable", "arguments", receiver), "args"), run.unknown(node)))


PARSERS = (
    "packaging.version.parse", "packaging.version.Version", "pkg_resources.parse_version",
    "distutils.version.LooseVersion", "distutils.version.StrictVersion", "looseversion.LooseVersion",
)  # fmt: skip


def _has_strategy(lib: KerasLibrary, run: Run, function: Library, arguments: Arguments, node: ast.AST) -> Value:
    """`tf.distribute.has_strategy()`: false as long as nothing made one."""
    return FALSE_VALUE if run.get_global("distributed") is None else run.unknown(node)


FUNCTIONS: Functions = {
    **dict.fromkeys(PARSERS, _parse),
    "importlib.metadata.version": _installed,
    "importlib_metadata.version": _installed,
    "importlib.import_module": _import,
    "keras.version": _keras_version,
    "keras.backend.backend": _backend,
    "os.environ.setdefault": _set_default,
    "os.environ.update": _update,
    "os.putenv": _put,
    "argparse.ArgumentParser": _parser,
    "tensorflow.distribute.has_strategy": _has_strategy,
    **flag_defaults.FUNCTIONS,
}
METHODS: Methods = {
    **{("version", name): _text_method(name) for name in TEXT_METHODS},
    ("parser", "parse_args"): _arguments,
    ("parser", "parse_known_args"): _known_arguments,
    **flag_defaults.METHODS,
}
