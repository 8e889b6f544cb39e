"""Derived variables: a hundred thousand questions of one person's history, answered from the events themselves.

Words: table, variable, window, group, catalogue, history, plan. Pure: arrays and values in, arrays out; no database, no HTTP, no clock.
Keeps: a variable is its name; one kernel everywhere, equal to the last bit; what was not known at the instant asked about changes no bit.
"""

from puhui.engines.variables.catalogue import Catalogue, Difference, Lineage, from_toml, from_yaml
from puhui.engines.variables.declaring import ALL, Declaration, each, only, over
from puhui.engines.variables.history import Fetch, Histories, History
from puhui.engines.variables.lending import lending
from puhui.engines.variables.missing import Missing
from puhui.engines.variables.names import Variable
from puhui.engines.variables.plan import Plan
from puhui.engines.variables.tables import Table

__all__ = [
    "ALL", "Catalogue", "Declaration", "Difference", "Fetch", "Histories", "History", "Lineage", "Missing", "Plan", "Table", "Variable",
    "each", "from_toml", "from_yaml", "lending", "only", "over",
]  # fmt: skip
