"""Modules made to run: their files imported in the order of the tree, the class taken from its own.

Only in processes that may be lost over it: never in the collector's.
"""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from types import ModuleType

from aggregator.errors import ModuleRefused


def load_class(name: str, tree: Sequence[tuple[str, Path]], folders: Sequence[Path]) -> type:
    """The class of a name, its dependencies imported before it.

    Raises ModuleRefused where a file does not have the class; whatever a module raises when it is
    imported goes through.
    """
    _let_import_each_other(folders)
    loaded: dict[Path, ModuleType] = {}
    found: type | None = None
    for wanted, path in tree:
        if path not in loaded:
            loaded[path] = _imported(path)
        value = getattr(loaded[path], wanted, None)
        if not isinstance(value, type):
            raise ModuleRefused(f"{path} has no class {wanted} once it has run")
        if wanted == name:
            found = value
    if found is None:
        raise ModuleRefused(f"{name} is not in its own tree")
    return found


def _let_import_each_other(folders: Sequence[Path]) -> None:
    # Behind all else: no module hides one of Python's, or of ours.
    sys.path += [str(folder) for folder in folders if str(folder) not in sys.path]


def _imported(path: Path) -> ModuleType:
    name = _module_name(path)
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ModuleRefused(f"{path} can't be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _module_name(path: Path) -> str:
    """The file's own name, so that `import` in another module finds this one; where something else
    has that name, one that nothing has."""
    spec = None
    # A name such as __main__ has a module, but nothing that tells where it came from.
    with contextlib.suppress(ValueError, ImportError):
        spec = importlib.util.find_spec(path.stem)
    if spec is not None and spec.origin and Path(spec.origin).resolve() == path.resolve():
        return path.stem
    return f"aggregator_module_{path.stem}_{blake2b(bytes(path), digest_size=4).hexdigest()}"
