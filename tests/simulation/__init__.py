"""The whole trade path in one thread and in virtual time: real code between a simulated outside that fails as told.

A schedule is a seed. From it come the orders, who is killed or frozen when, what is lost and what is late; so the same
seed is the same run, down to the hash of its log.
"""
