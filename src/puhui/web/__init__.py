"""The doors: the borrower's API, entries and shops, callbacks, staff, the driver of stepped runs, health and metrics.

A door parses, asks once, and shows. `app.py` puts them together.
"""
