"""A workload whose data is known: its writer, the truth about its data, its objects."""
