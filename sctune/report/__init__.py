"""What a run says: for people, for programs, and as an exit code."""
