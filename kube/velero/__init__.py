"""What is asked of a running Velero: is it ready, does it take its schedules, make a backup, leave.

Only reads and single changes of its objects; the objects that the program declares are Pulumi's.
"""
