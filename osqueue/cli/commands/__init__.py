"""The commands with their arguments, options and help.

What each does stands in a module of its own, loaded when it runs.
"""
