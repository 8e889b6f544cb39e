"""What we show the world: verify, bench, chaos, demo. Whoever runs a lender may prove it with these.

Only here may the town's truth be read, for evaluation alone; every figure that uses it says "in the simulated town".
"""
