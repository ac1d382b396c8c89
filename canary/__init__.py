"""A workload whose data is known: its writer and its objects, as plain data.

What deploys it (`components`) and what judges its restores (`drills`) both read this; it reads
neither.
"""
