"""What `group_commit.py` and `leadership.py` share: one conditional write, and what is known of
it."""
