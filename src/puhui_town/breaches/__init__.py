"""The watch: what the town sees the lender do that it may not, by the town's own rules."""

from puhui_town.breaches.watch import Breaches, Kind, Standing

__all__ = ["Breaches", "Kind", "Standing"]
