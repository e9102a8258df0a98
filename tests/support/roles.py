"""The policies of docs/iam on a server that enforces them, and what calls need of a policy.

They are put on Ceph's gateway as they are meant for AWS: as policies of users, placeholders filled
in. Three things of Ceph 16.2 show through:

* whoever put an object may do anything with that object, policy or not, unless it is denied; so an
  action is taken away by denying it;
* a put with a lock or a hold in its headers asks for no more than `s3:PutObject`;
* it does not know `s3:object-lock-legal-hold`: what is allowed or denied under it is neither.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from support.rgw import USERS, credentials_of
from support.s3_servers import Server

from logstore.s3.address import Address
from logstore.s3.bucket import Bucket
from logstore.s3.client import S3, connect
from logstore.s3.remote import Remote
from logstore.storage.bucketblobs import _Reach
from logstore.verify.bucketmemory import _Connections

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "iam"

ROLES = ("writer", "responder", "auditor", "privacy-officer", "retention-job")
"""Each is also a user of the gateway."""

assert set(ROLES) < set(USERS)

Policy = dict[str, Any]

# Amazon S3 user guide, "Required permissions for Amazon S3 API operations". What an operation
# needs with a version, and with headers, is named apart.
_NEEDS = {
    "ListObjectVersions": "s3:ListBucketVersions",
    "GetObject": "s3:GetObject",
    "GetObject of a version": "s3:GetObjectVersion",
    "HeadObject": "s3:GetObject",
    "HeadObject of a version": "s3:GetObjectVersion",
    "HeadBucket": "s3:ListBucket",
    "GetBucketVersioning": "s3:GetBucketVersioning",
    "GetObjectLockConfiguration": "s3:GetBucketObjectLockConfiguration",
    "PutObject": "s3:PutObject",
    "PutObjectRetention of a version": "s3:PutObjectRetention",
    "PutObjectLegalHold of a version": "s3:PutObjectLegalHold",
    "GetObjectLegalHold of a version": "s3:GetObjectLegalHold",
    "DeleteObject": "s3:DeleteObject",
    "DeleteObject of a version": "s3:DeleteObjectVersion",
    "x-amz-object-lock-mode": "s3:PutObjectRetention",
    "x-amz-object-lock-legal-hold": "s3:PutObjectLegalHold",
    "x-amz-bypass-governance-retention": "s3:BypassGovernanceRetention",
}

LIFTS = "s3:PutObjectLegalHold to lift"
"""Needed beside `s3:PutObjectLegalHold` by who lifts a hold."""

SHOWN = frozenset({"s3:GetObjectRetention", "s3:GetObjectLegalHold"})
"""Most calls that show these are for more: who lacks one gets the same answer without the lock."""


def role_policy(role: str, address: Address) -> Policy:
    """A role's policy, its placeholders filled in as docs/iam says."""
    text = (FOLDER / f"{role}.json").read_text("utf-8")
    made: Policy = json.loads(
        text.replace("BUCKET", address.bucket).replace("PREFIX", address.prefix)
    )
    return made


def allowed(policy: Policy) -> list[str]:
    """The actions that it allows."""
    granted = (each for each in policy["Statement"] if each["Effect"] == "Allow")
    return [action for each in granted for action in listed(each["Action"])]


def denied(policy: Policy) -> list[str]:
    """The actions that it denies, whatever the request."""
    refused = (
        each for each in policy["Statement"]
        if each["Effect"] == "Deny" and "Condition" not in each
    )  # fmt: skip
    return [action for each in refused for action in listed(each["Action"])]


def without(policy: Policy, action: str) -> Policy:
    """The policy less one action, which is denied instead; see above."""
    kept = []
    for each in policy["Statement"]:
        left = [one for one in listed(each["Action"]) if one != action]
        kept += [{**each, "Action": left}] if left else []
    refusal = {"Effect": "Deny", "Action": action, "Resource": "arn:aws:s3:::*"}
    return {**policy, "Statement": [*kept, refusal]}


def listed(actions: str | list[str]) -> list[str]:
    """Several, or one, as a list: policies have both."""
    return [actions] if isinstance(actions, str) else actions


@dataclass
class Staff:
    """The users of a gateway, and who of them the tests' process is."""

    server: Server
    monkeypatch: pytest.MonkeyPatch

    def __post_init__(self) -> None:
        self._allowed: set[str] = set()
        who = credentials_of("administrator")
        self._iam = boto3.session.Session().client(
            "iam",
            endpoint_url=self.server.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=who["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=who["AWS_SECRET_ACCESS_KEY"],
            verify=self.server.ca_bundle,
        )

    def allow(self, user: str, policy: Policy) -> None:
        """Let a user do what a policy says, and nothing else."""
        self._allowed.add(user)
        self._iam.put_user_policy(
            UserName=user, PolicyName="role", PolicyDocument=json.dumps(policy)
        )

    def dismiss(self) -> None:
        """Take every policy away."""
        for user in self._allowed:
            self._iam.delete_user_policy(UserName=user, PolicyName="role")
        self._iam.close()

    def become(self, user: str) -> None:
        """Everything that connects from now on does so as this user."""
        for variable, value in credentials_of(user).items():
            self.monkeypatch.setenv(variable, value)
        _Connections.made.clear()  # they are kept for the process, as who it was before
        _Reach.again.clear()

    def bucket(self, user: str, remote: Remote) -> Bucket:
        """A bucket as a user sees it."""
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in credentials_of(user).items():
                patch.setenv(variable, value)
            return Bucket(remote)


@contextlib.contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch, user: str) -> Iterator[set[str]]:
    """What of a policy a user's calls to S3 need, in this process and until the block ends."""
    needed: set[str] = set()

    def listening(remote: Remote, *more: Any) -> S3:
        client: Any = connect(remote, *more)
        if os.environ["AWS_ACCESS_KEY_ID"] == credentials_of(user)["AWS_ACCESS_KEY_ID"]:
            client.meta.events.register("before-call.s3", note)
        made: S3 = client
        return made

    def note(model: Any, params: dict[str, Any], **_: object) -> None:
        versioned = " of a version" if "versionId" in params["query_string"] else ""
        needed.add(_NEEDS[model.name + versioned])
        needed.update(_NEEDS[each] for each in map(str.lower, params["headers"]) if each in _NEEDS)
        if model.name == "PutObjectLegalHold" and b"OFF" in params["body"]:
            needed.add(LIFTS)

    with monkeypatch.context() as patch:
        patch.setattr("logstore.s3.reading.connect", listening)
        yield needed
