"""The restore aside, as data: what is made, what is held, what is refused, what is removed.

Everything here is computed from plain objects as the API server gives them; nothing is sent.
"""
