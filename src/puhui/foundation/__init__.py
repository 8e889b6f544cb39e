"""What every room stands on: money, days, refusals, SQL, the unit of work, durable flows, outbox and inbox, keys.

Nothing here knows a room, a law or a product. Imports go down only; this is the floor.
"""
