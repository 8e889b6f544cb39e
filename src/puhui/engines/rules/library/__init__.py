"""The built-in functions of FEEL, by their names."""

from puhui.engines.rules.library import contexts, conversions, intervals, lists, numbers, texts, times  # noqa: F401  (each adds its functions)
from puhui.engines.rules.library.properties import properties
from puhui.engines.rules.library.registry import BUILTINS

__all__ = ["BUILTINS", "properties"]
