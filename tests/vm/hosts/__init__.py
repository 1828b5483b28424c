"""Storage hosts, built in the test machine with the real tools as each backend builds them.

What a host consists of is written as lists of shell lines, so that many things can be made in one batch: a round trip to the
machine, and every fork in it, is dear.
"""
