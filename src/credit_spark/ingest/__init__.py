"""Landing files to typed, checked, deduplicated loans."""
