"""The staff console: pages made by the server, read in one Work, changed through the same journeys as `/staff/v1`.

A *screen* reads what it shows and gives *blocks* (figures, facts, tables, charts, forms); one set of templates draws them. A *deed* changes
something and goes back to its screen. `gate.py` recognizes the member, demands the duty, checks the form's token; `parts.py` lists all screens.
"""
