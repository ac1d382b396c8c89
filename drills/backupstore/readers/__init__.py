"""Processes that read blocks beside this one: Python runs on one core, verifying wants all.

shares.py says how many, greeting.py and frames.py what is said to them, process.py is one of them
as seen from here, processes.py all of them, __main__.py what runs in each.
"""
