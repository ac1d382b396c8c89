"""The driver of the Pulumi engine for one stack: `python -m stack up`, `preview`, `refresh`, …

It adds to the engine what the engine leaves to the operator: which plugins are used, whether a
lock is stale, what an interrupted run left behind, and whether a refresh would forget a store
that is merely down. Plain `pulumi` commands keep working beside it.
"""
