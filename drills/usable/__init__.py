"""Whether what was restored can be used: workloads started in their sandbox, the user's checks run.

The form of the checks and what has to be started for them are plain data; `launch` and `run` act.
"""
