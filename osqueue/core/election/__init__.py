"""What `leadership.py` decides by: who this broker is, what it knows of the leader, how long a
leader trusts itself."""
