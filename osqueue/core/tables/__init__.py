"""The tables that `queue_state.py` is made of: each keeps one order, none decides a job's fate."""
