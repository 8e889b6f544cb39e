"""The stories that cross rooms: enter, apply, accept, borrow, repay, fall behind, contact, privacy, close the day; and the reactions to events.

A journey takes the desk, opens one Work per step, and asks the outside world only between two Works. `wiring.py` lists what answers what.
"""
