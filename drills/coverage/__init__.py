"""What is protected and what is not: the live cluster against its schedules and last backups."""
