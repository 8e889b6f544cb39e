"""The command line `puhui`: starts, stops and looks after a house. Heavy things are imported by the command that needs them."""
