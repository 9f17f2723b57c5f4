"""Decisions: everything that osqueue decides, as plain synchronous classes.

Nothing in this package reads a clock, draws a random number that was not passed in, touches a disk
or a network, or knows Trio. Acts live in `osqueue.broker`; words on the wire in `osqueue.protocol`.
"""
