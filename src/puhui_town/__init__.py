"""The town: the simulated world outside the lender."""
