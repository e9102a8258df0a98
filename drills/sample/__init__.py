"""Invented AI logs of an invented company, in the formats real clients write, with known truth.

Everything is drawn from one seed: the same arguments give the same bytes. `generate` is the door.
"""
