"""The five roles of docs/iam at work, on a real server that enforces their policies.

Each role does everything that is its own with its own policy; less any one action of that policy it
can not; and it is refused what the others may.
"""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from support.commands import Answer, line
from support.roles import ROLES, SHOWN, Staff, allowed, recorded, role_policy, without
from support.s3_servers import CREDENTIALS, Server, in_an_hour
from support.serving import PROTOBUF, serving, spans
from support.stores import chat
from support.supplementing import destroy, person, survivors
from support.waiting import until

from console.__main__ import main
from logstore.errors import AirconError
from logstore.keys.holders import NoHolder
from logstore.keys.keystore import KeyStore
from logstore.s3.address import Address
from logstore.s3.bucket import Bucket, Lock, Version
from logstore.storage.log import Log, Options

pytestmark = [pytest.mark.servers, pytest.mark.slow]

QUERY = "select count(*) n from interactions"
OPTIONS = Options(protect=False, auto_seal_bytes=None, busy_timeout_s=10)
HOUR = Lock("COMPLIANCE", in_an_hour())
DAY = "log=a/date=2026-11-25"


@dataclass
class Company:
    """A bucket with a log in it, the machine of its writer, and everybody who works with it.

    Attributes:
        owners: the bucket, as its owner sees it.
        archive: another one, with content whose retention is over.
        staff: who works here.
        base: where the machines are.
    """

    owners: Bucket
    archive: Bucket
    staff: Staff
    base: Path
    numbers: Iterator[int] = field(default_factory=count)

    def address(self, role: str) -> Address:
        """What a role is for."""
        return (self.archive if role == "retention-job" else self.owners).address

    def run(self, who: str, home: str, *words: str | Path) -> Answer:
        """Run one command as somebody, on one of the machines."""
        self.staff.become(who)
        self.staff.monkeypatch.setenv("AIRCON_HOME", str(self.base / home))
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main([*map(str, words)])
        return Answer(code, out.getvalue(), err.getvalue())

    def works(self, who: str, home: str, *words: str | Path) -> Answer:
        answer = self.run(who, home, *words)
        assert answer.code == 0, answer.err or answer.out
        return answer

    def status(self) -> Any:
        """What the writer's machine says of the log."""
        return self.works("writer", "writer", "status", "--json").objects[0]

    def somewhere(self) -> str:
        """A machine that was never used."""
        return f"machine-{next(self.numbers)}"

    def logs(self) -> Path:
        """Logs that were not taken in yet."""
        number = next(self.numbers)
        path = self.base / f"logs-{number}.jsonl"
        path.write_text(line(f"question {number}", f"answer {number}", f"person {number}") + "\n")
        return path

    @property
    def policy(self) -> Path:
        return next((self.base / "writer").glob("*.policy"))

    @contextlib.contextmanager
    def log(self, who: str) -> Iterator[Log]:
        """The log on the writer's machine, as the library opens it."""
        self.staff.become(who)
        (file,) = (self.base / "writer").glob("*/remote.json")
        keys = KeyStore.open(file.parent.with_name(f"{file.parent.name}.keys"), NoHolder())
        with Log.open(file.parent, keys, options=OPTIONS) as log:
            yield log
        keys.close()


@pytest.fixture(scope="module")
def company(
    rgw_servers: dict[str, Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Company]:
    """An administrator made the log; one sealed object is under legal hold."""
    server, base = rgw_servers["rgw-http"], tmp_path_factory.mktemp("company")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        staff = Staff(server, patch)
        buckets = (server.new_bucket(prefix="ai/aircon"), server.new_bucket(prefix="ai/aircon"))
        made = Company(*buckets, staff, base)
        patch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint_url)
        patch.setenv("AIRCON_STORE", str(made.owners.address))
        made.works("administrator", "writer", "init", "--insecure-no-passphrase")
        made.works("administrator", "writer", "import", made.logs())
        made.works("administrator", "writer", "seal")
        sealed = next(each for each in made.owners.versions("index/") if isinstance(each, Version))
        boss = staff.bucket("administrator", made.owners.remote)
        boss.set_legal_hold(sealed.name, sealed.version_id, on=True)
        _keep_for_a_second(made.archive)
        yield made
        staff.dismiss()


def _keep_for_a_second(archive: Bucket) -> None:
    soon = Lock("COMPLIANCE", in_an_hour(1 / 3600))
    for number in range(10):
        archive.put(f"body/{DAY}/seg-{number:012d}-1.parquet", b"sealed", lock=soon)
    until(lambda: time.time() > soon.date.timestamp() + 0.5)


# -- what each role does --------------------------------------------------------------------------


def takes_in_and_seals(company: Company) -> None:
    company.works("writer", "writer", "import", company.logs())
    assert company.works("writer", "writer", "seal", "--json").objects[0]["segments"] == 1


def goes_on_where_it_was_refused(company: Company) -> None:
    """Begun with credentials that the server does not know, and finished with good ones."""
    company.works("writer", "writer", "import", company.logs())
    assert company.run("nobody", "writer", "seal").code == 8
    records = company.status()["records"]
    company.works("writer", "writer", "seal")
    assert company.status()["sealed"] >= records


def asks_from_elsewhere(company: Company) -> None:
    elsewhere, trust = company.somewhere(), ("--clear-only", "--policy", company.policy)
    (row,) = company.works("responder", elsewhere, "sql", QUERY, "--json", *trust).objects
    assert row["n"]
    company.works("responder", elsewhere, "show", "3", *trust)
    company.works("responder", elsewhere, "status", "--policy", company.policy)


def opens_content_on_the_writers_machine(company: Company) -> None:
    asked = company.works("responder", "writer", "search", "answer", "--reason", "incident 7")
    assert "answer" in asked.out
    looked = "select count(*) n from events where kind = 'access.query'"
    assert company.works("responder", "writer", "sql", looked, "--json").objects[0]["n"]


def verifies(company: Company) -> None:
    elsewhere, trust = company.somewhere(), ("--policy", company.policy)
    company.works("auditor", elsewhere, "verify", str(company.owners.address), *trust)
    proof = company.base / f"{elsewhere}.proof"
    company.works("auditor", elsewhere, "prove", "3", *trust, "-o", proof)
    assert proof.exists()


def looks_after(role: str, *due: str) -> Callable[[Company], None]:
    """`aircon doctor` says so."""

    def look(company: Company) -> None:
        words = ("doctor", "--json", "--policy", company.policy)
        rows = company.run(role, company.somewhere(), *words).objects
        said = [f"{row['check']}: {row['says']}" for row in rows]
        assert not [each for each in due if not any(each in one for one in said)], said

    return look


def finds_a_person(company: Company) -> None:
    company.works("privacy-officer", "writer", "search", "answer", "--reason", "request 12")


def erases(company: Company) -> None:
    """What survives goes under other keys, then the person's are destroyed."""
    shared = f"conversation {next(company.numbers)}"
    with company.log("privacy-officer") as log:
        log.append(chat("what is to go", conversation=shared))
        his = log.append(chat("what is to stay", conversation=shared)).index
        pin = log.supplement(survivors(log, {his: (person("paul"),)}))
        destroy(log, shared)
    assert company.owners.history(pin.body.key)


def places_and_lifts_holds(company: Company) -> None:
    name = f"body/{DAY}/seg-{next(company.numbers):06d}000000-1.parquet"
    kept = company.archive.put(name, b"sealed", lock=HOUR)
    job = company.staff.bucket("retention-job", company.archive.remote)
    for on in (True, False):
        job.set_legal_hold(name, kept.version_id, on=on)
        assert company.archive.head(name, kept.version_id).hold is on


def removes_what_is_over(company: Company) -> None:
    job = company.staff.bucket("retention-job", company.archive.remote)
    listed = [(each, job.head(each.name, each.version_id)) for each in job.versions("body/")]
    ended = [each for each, head in listed if head.lock and _is_over(head.lock) and not head.hold]
    assert ended, "what does not show its lock is not known to be over"
    over = ended[0]
    job.delete_version(over.name, over.version_id)
    assert company.archive.history(over.name) == []


def _is_over(lock: Lock) -> bool:
    return lock.retain_until_us < time.time_ns() // 1000


WORK: dict[str, tuple[Callable[[Company], None], ...]] = {
    "writer": (takes_in_and_seals, goes_on_where_it_was_refused),
    "responder": (asks_from_elsewhere, opens_content_on_the_writers_machine),
    "auditor": (
        verifies,
        looks_after(
            "auditor", "versioning: on", "object lock: on", "1 under legal hold",
            "locked COMPLIANCE as long as sealed",
        ),
    ),
    "privacy-officer": (
        finds_a_person,
        erases,
        looks_after("privacy-officer", "1 under legal hold", "locked COMPLIANCE as long as sealed"),
    ),
    "retention-job": (places_and_lifts_holds, removes_what_is_over),
}  # fmt: skip


NOT_NEEDED = {
    "auditor": {"s3:ListBucket"},
    "privacy-officer": {
        "s3:ListBucket", "s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration",
    },
}  # fmt: skip
"""What `aircon doctor` asks as well, and says that it was refused; a refusal tells the time too."""

NOT_ASKED_BY_CEPH = {
    ("writer", "s3:PutObjectRetention"), ("privacy-officer", "s3:PutObjectRetention"),
}  # fmt: skip
"""Ceph 16.2 takes a lock in the headers of a put from whoever may put; AWS asks for the action."""


@pytest.mark.parametrize("role", ROLES)
def test_a_role_does_its_work_and_may_do_what_its_calls_need(company: Company, role: str) -> None:
    policy = role_policy(role, company.address(role))
    company.staff.allow(role, policy)
    with recorded(company.staff.monkeypatch) as needed:
        for task in WORK[role]:
            task(company)
    assert set(allowed(policy)) - SHOWN == needed - NOT_NEEDED.get(role, set())


@pytest.mark.parametrize(
    ("role", "action"),
    [(role, action) for role in ROLES for action in allowed(role_policy(role, Address("any")))],
)
def test_less_any_one_action_it_can_not(company: Company, role: str, action: str) -> None:
    company.staff.allow(role, without(role_policy(role, company.address(role)), action))
    failed = []
    for task in WORK[role]:
        try:
            task(company)
        except (AssertionError, AirconError) as error:
            failed.append(error)
            break
    assert bool(failed) is ((role, action) not in NOT_ASKED_BY_CEPH)


def test_the_writers_endpoint_seals_with_the_writers_rights(company: Company) -> None:
    company.staff.allow("writer", role_policy("writer", company.owners.address))
    company.staff.become("writer")
    company.staff.monkeypatch.setenv("AIRCON_HOME", str(company.base / "writer"))
    with serving(str(company.owners.address), "--seal-on-stop") as running:
        with running.client as client:
            sent = spans(1, first=next(company.numbers) + 1).SerializeToString()
            assert client.post("/v1/traces", content=sent, headers=PROTOBUF).status_code == 200
        records = company.status()["records"]
        assert running.stop() == 0, running.said
    assert company.status()["sealed"] >= records


def test_who_reads_on_the_writers_machine_leaves_sealing_to_the_writer(company: Company) -> None:
    """A responder's question is recorded here; it is no error that it can not be sealed yet."""
    for role in ("writer", "responder"):
        company.staff.allow(role, role_policy(role, company.owners.address))
    company.works("writer", "writer", "import", company.logs())
    refused = company.run("responder", "writer", "seal")
    assert refused.code == 8
    assert "access is denied" in refused.err
    found = company.works("responder", "writer", "search", "answer", "--reason", "incident 8")
    assert "answer" in found.out
    records = company.status()["records"]
    company.works("writer", "writer", "seal")
    assert company.status()["sealed"] >= records


# -- what each role is refused --------------------------------------------------------------------

INDEX, BODY, FREE = f"index/{DAY}/seg-0-1.parquet", f"body/{DAY}/seg-0-1.parquet", f"body/{DAY}/b"
_SOON, _LATE = (Lock("GOVERNANCE", in_an_hour(hours)).date for hours in (0.5, 2))
_ALL_EXPIRE = {
    "ID": "all", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1},
}  # fmt: skip

ATTEMPTS: dict[str, tuple[str, dict[str, Any]]] = {
    "put": ("put_object", {"Key": "new", "Body": b"x"}),
    "put a survivor": ("put_object", {"Key": f"body/{DAY}/sup-0-a.parquet", "Body": b"x"}),
    "cover": ("put_object", {"Key": INDEX, "Body": b"over it"}),
    "hide": ("delete_object", {"Key": INDEX}),
    "lock for longer": ("put_object_retention", {
        "Key": BODY, "VersionId": "", "Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": _LATE},
    }),
    "shorten a lock": ("put_object_retention", {
        "Key": BODY, "VersionId": "", "Retention": {"Mode": "GOVERNANCE", "RetainUntilDate": _SOON},
        "BypassGovernanceRetention": True,
    }),
    "hold": ("put_object_legal_hold", {
        "Key": FREE, "VersionId": "", "LegalHold": {"Status": "ON"},
    }),
    "release": ("put_object_legal_hold", {
        "Key": FREE, "VersionId": "", "LegalHold": {"Status": "OFF"},
    }),
    "remove clear fields": ("delete_object", {"Key": INDEX, "VersionId": ""}),
    "remove free content": ("delete_object", {"Key": FREE, "VersionId": ""}),
    "remove locked content": ("delete_object", {
        "Key": BODY, "VersionId": "", "BypassGovernanceRetention": True,
    }),
    "show to everybody": ("put_object_acl", {"Key": FREE, "ACL": "public-read"}),
    "show a version to everybody": ("put_object_acl", {
        "Key": BODY, "VersionId": "", "ACL": "public-read",
    }),
    "list everything": ("list_object_versions", {}),
    "list elsewhere": ("list_object_versions", {"Prefix": "ai/other/"}),
    "suspend versions": ("put_bucket_versioning", {
        "VersioningConfiguration": {"Status": "Suspended"},
    }),
    "change locking": ("put_object_lock_configuration", {
        "ObjectLockConfiguration": {"ObjectLockEnabled": "Enabled"},
    }),
    "let all expire": ("put_bucket_lifecycle_configuration", {
        "LifecycleConfiguration": {"Rules": [_ALL_EXPIRE]},
    }),
    "change the policy": ("put_bucket_policy", {"Policy": "{}"}),
    "drop the policy": ("delete_bucket_policy", {}),
    "remove the bucket": ("delete_bucket", {}),
}  # fmt: skip
"""What a right may be for, in an order in which all can be tried; keys are below the prefix."""

MAY: dict[str, set[str]] = {
    "administrator": set(ATTEMPTS),
    "writer": {"put", "put a survivor", "cover", "lock for longer"},
    "responder": set(),
    "auditor": set(),
    "privacy-officer": {"put a survivor"},
    "retention-job": {"hold", "release", "remove free content"},
}


@pytest.mark.parametrize("role", MAY)
def test_a_role_is_refused_what_is_not_its_own(company: Company, role: str) -> None:
    owners = company.staff.server.new_bucket(prefix="ai/aircon")
    if role in ROLES:
        company.staff.allow(role, role_policy(role, owners.address))
    eyes = company.staff.bucket(role, owners.remote)
    maker = eyes if role == "writer" else owners  # what one has put oneself is no exception
    versions = {
        name: maker.put(name, b"sealed", lock=lock).version_id
        for name, lock in {INDEX: None, BODY: Lock("GOVERNANCE", in_an_hour()), FREE: None}.items()
    }
    client: Any = eyes.client
    may = set()
    for what, (operation, asked) in ATTEMPTS.items():
        words = {"Bucket": owners.address.bucket, **asked}
        if "VersionId" in words:
            words["VersionId"] = versions[words["Key"]]
        if "Key" in words:
            words["Key"] = owners.address.key(words["Key"])
        try:
            getattr(client, operation)(**words)
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDenied":
                continue
        may.add(what)
    assert may == MAY[role]
