"""What operators ask of a queue: lists, changes of many jobs, figures."""
