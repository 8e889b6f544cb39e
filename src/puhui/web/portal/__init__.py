"""The portal for partners: how to sign, every door with its fields, keys and their rotation, the events we send, samples that run.

Made of the same doors and structs that answer, so it cannot say something else; it asks nothing of the outside.
"""

from puhui.web.portal.pages import ROUTES

__all__ = ["ROUTES"]
