"""Puhui: the whole online consumer-lending loop of a licensed lender."""
