"""The store in files of one machine."""
