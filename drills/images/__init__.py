"""What is inside a raw disk image: which file system, whether it is sound, its files. Read-only."""
