"""The people of the town: who they are, how they live, what is recorded of them, and how they borrow, repay and answer.

`person(seed, n)` never depends on another person, and a run is a pure function of the seed, the population file and the platform's answers.
"""
