"""Opening the evidence of a store, wherever it lies."""

from __future__ import annotations

from pathlib import Path

from logstore.storage.home import read_remote
from logstore.verify.evidence import Directory, Evidence


def evidence_of(store: Path) -> Evidence:
    """The evidence of a store's directory, or of a bucket's home.

    Raises:
        FormatError: the home's files can not be read.
    """
    remote = read_remote(store)
    if remote is None:
        return Directory(store)
    from logstore.verify.bucketevidence import BucketEvidence

    return BucketEvidence(store, remote)
