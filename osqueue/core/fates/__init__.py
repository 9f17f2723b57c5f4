"""What settlements, time and operators do to jobs: functions over the queue's state."""
