"""Texts and calls to people: accepted, delivered, answered; the lender's side of a call is asked for turn by turn."""
