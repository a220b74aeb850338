"""what is stored of a person -> their moment -> way through a journey -> candidates -> decision.

The only place where the rooms meet; everything it reads and writes comes in as an argument.
"""
