"""One bucket with Object Lock, and a prefix in it: named objects that nobody can change.

This floor knows nothing of logs. What it does is put immutable objects, tell what lies under their
names, and say of a server what it really does. boto3 is loaded when a bucket is first used.
"""
