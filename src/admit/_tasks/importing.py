"""Importing someone's Python: as `python FILE` would, again and again, with places.

What is imported here can be imported anew after it changed: the modules that belong to
the policies are forgotten before each load, and put back when the load fails.
"""

from __future__ import annotations

import importlib
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from admit.errors import AdmitError, ConfigError, PolicyError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import ModuleType, TracebackType

__all__ = ("Imported", "import_files", "import_module")

# Where other people's packages are; they are nobody's policies.
INSTALLED: Final = frozenset({"site-packages", "dist-packages"})

# Whoever names a file like one of these has to rename it.
KEPT: Final = sys.stdlib_module_names | {"admit", "__main__"}


@dataclass(frozen=True, slots=True)
class Imported:
    """What came of it.

    Args:
        modules: the modules that were asked for, in that order.
        files: every file that belongs to them, their own imports included.
    """

    modules: tuple[ModuleType, ...]
    files: tuple[Path, ...]


# Modules of the policies that were loaded last, and the entry of sys.path they need.
_ours: dict[str, ModuleType] = {}
_path: list[str] = []


def import_files(files: Sequence[Path]) -> Imported:
    """Import Python files of one folder; beside them are their helpers.

    A file in a package (a folder with ``__init__.py``) is imported as its member, so
    that relative imports work.

    Raises:
        PolicyError: a file does not import; every such file, with its line.
        ConfigError: a file's name is another module's.
    """
    root = _root_of(files[0])
    names = [_name_of(file, root) for file in files]
    modules: list[ModuleType] = []
    errors: list[AdmitError] = []
    with _anew(root) as foreign:
        for file, name in zip(files, names, strict=True):
            try:
                modules.append(_import(name, file=file, root=root))
            except (PolicyError, ConfigError) as error:
                errors.append(error)
        if errors:
            raise _join(errors)
        return Imported(tuple(modules), _adopt(root, foreign))


def import_module(name: str) -> Imported:
    """Import an installed module, or one below the working directory.

    Raises:
        PolicyError: it does not import; file and line.
    """
    root = Path.cwd()
    with _anew(root) as foreign:
        module = _import(name, file=None, root=root)
        return Imported((module,), _adopt(root, foreign, top=name.partition(".")[0]))


def _join(errors: Sequence[AdmitError]) -> AdmitError:
    """Tell all at once."""
    if len(errors) == 1:
        return errors[0]
    lines = "".join(f"\n  {error}" for error in errors)
    joined = PolicyError(f"{len(errors)} files cannot be loaded:{lines}")
    joined.__cause__ = errors[0]
    return joined


def _root_of(file: Path) -> Path:
    """Return the folder that must be on the path: the first that is no package."""
    folder = file.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        folder = folder.parent
    return folder


def _name_of(file: Path, root: Path) -> str:
    parts = file.relative_to(root).with_suffix("").parts
    if "." in file.stem:
        raise ConfigError(
            "a policy file's name has no '.' but the one before py",
            place=str(file),
            hint=f"name it {file.stem.replace('.', '_')}.py",
        )
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@contextmanager
def _anew(root: Path) -> Iterator[frozenset[str]]:
    """Forget the policies of the last load; remember them again if this one fails.

    Yields the names of the modules that are not policies and stay as they are.
    """
    path = list(sys.path)
    writes = sys.dont_write_bytecode
    gone = _ours | _find_namesakes(root)
    for name, module in gone.items():
        if sys.modules.get(name) is module:
            del sys.modules[name]
    sys.path[:] = [str(root), *(p for p in path if p not in {str(root), *_path})]
    # Neither files in other people's folders, nor a stale one found there: a cache
    # file is trusted when second and size of its source agree.
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    foreign = frozenset(sys.modules)
    try:
        yield foreign
    except BaseException:
        for name in set(sys.modules) - foreign:
            if _belongs(sys.modules[name], root):
                del sys.modules[name]
        sys.modules.update(gone)
        sys.path[:] = path
        raise
    finally:
        sys.dont_write_bytecode = writes
    _path[:] = [str(root)] if str(root) not in path or str(root) in _path else []


def _find_namesakes(root: Path) -> dict[str, ModuleType]:
    """Find modules from other folders that hide those at the root.

    As when one test run imports the policies of several folders. What Python and
    packages bring keeps its name.
    """
    names = {file.stem for file in root.glob("*.py")}
    names |= {file.parent.name for file in root.glob("*/__init__.py")}
    return {
        name: module
        for name, module in list(sys.modules.items())
        if (top := name.partition(".")[0]) in names
        and top not in KEPT
        and not INSTALLED & set(Path(getattr(module, "__file__", None) or "/").parts)
        and not _belongs(module, root)
    }


def _adopt(root: Path, foreign: frozenset[str], *, top: str = "") -> tuple[Path, ...]:
    """Note which modules are the policies' own, and return their files.

    Of the new ones those found directly at the root, or of one top-level package.
    """
    _ours.clear()
    _ours.update(
        (name, module)
        for name, module in list(sys.modules.items())
        if name not in foreign
        and (name.partition(".")[0] == top or _belongs(module, root))
    )
    files = (getattr(module, "__file__", None) for module in _ours.values())
    return tuple(sorted(Path(file) for file in files if file))


def _belongs(module: ModuleType, root: Path) -> bool:
    """Tell whether a module is found through the root and nowhere else."""
    file = getattr(module, "__file__", None)
    if not file or INSTALLED & set(root.parts):
        return False
    top = root / module.__name__.partition(".")[0]
    path = Path(file)
    return path == top.with_suffix(".py") or top in path.parents


def _import(name: str, *, file: Path | None, root: Path) -> ModuleType:
    """Import a module by name; what goes wrong gets its place in the user's files."""
    shown = str(file or name)
    try:
        module = importlib.import_module(name)
    except AdmitError as error:
        error.place = error.place or _place_in(error, root) or shown
        raise
    except SyntaxError as error:
        raise _explain_syntax(error, shown) from error
    except ImportError as error:
        raise _explain_import(error, name, _place_in(error, root) or shown) from error
    except (Exception, SystemExit) as error:  # the rim around someone's module
        if "null bytes" in str(error):  # a SyntaxError from Python 3.11.4 on
            raise _explain_syntax(SyntaxError(str(error)), shown) from error
        first, _, _ = str(error).partition("\n")
        raise PolicyError(
            f"the import fails: {type(error).__name__}: {first}",
            place=_place_in(error, root) or shown,
            hint="policies are declared when the file is imported; --debug shows the "
            "whole traceback",
        ) from error
    found = getattr(module, "__file__", None)
    if file is not None and (found is None or not Path(found).samefile(file)):
        raise ConfigError(
            f"the name {name} is taken by another module ({found or 'built in'})",
            place=shown,
            hint=f"rename the file, for example to {name}_policies.py",
        )
    return module


def _explain_syntax(error: SyntaxError, shown: str) -> PolicyError:
    code = (error.text or "").rstrip()
    drawn = ""
    if code and error.offset:
        indent = len(code) - len(code.lstrip())
        marker = " " * max(0, error.offset - 1 - indent) + "^"
        drawn = f"\n    {code.lstrip()}\n    {marker}"
    return PolicyError(
        f"not valid Python: {error.msg}{drawn}",
        place=f"{error.filename or shown}:{error.lineno or 1}",
    )


def _explain_import(error: ImportError, name: str, place: str) -> AdmitError:
    missing = error.name or ""
    if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{missing}."):
        return ConfigError(
            f"there is no module {missing}",
            hint="name a Python file, a folder of them, or module:app",
        )
    hint = f"install {missing.partition('.')[0]} where admit is installed, or put it "
    hint += "beside the policies"
    if not isinstance(error, ModuleNotFoundError):
        hint = _explain_missing_name(error)
    return PolicyError(f"the import fails: {error}", place=place, hint=hint)


def _explain_missing_name(error: ImportError) -> str:
    """Ask the module itself, which may know what is near."""
    name = re.search(r"import name '(\w+)'", str(error))
    module = sys.modules.get(error.name or "")
    try:
        getattr(module, name.group(1) if name else "")
    except AttributeError as reason:
        if error.name == "admit":
            return str(reason)
    return "is the name spelt as it is there?"


def _place_in(error: BaseException, root: Path) -> str | None:
    """Return the innermost line below the root that the error passed."""
    place = None
    traceback: TracebackType | None = error.__traceback__
    while traceback is not None:
        file = Path(traceback.tb_frame.f_code.co_filename)
        if root in file.parents and not INSTALLED & set(file.parts):
            place = f"{file}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
