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
from support.bucket_stores import KEPT, BucketStore
from support.clocks import DAY_US, Shifted
from support.commands import Answer, line
from support.roles import (
    LIFTS,
    ROLES,
    SHOWN,
    Staff,
    allowed,
    recorded,
    role_policy,
    without,
)
from support.s3_servers import CREDENTIALS, Server, in_an_hour
from support.serving import PROTOBUF, serving, spans
from support.stores import ORIGIN, chat
from support.supplementing import destroy, person, survivors
from support.waiting import until

from console.__main__ import main
from logstore.disk import Disk
from logstore.errors import AirconError
from logstore.formats.custody import Placed
from logstore.formats.policy import Policy
from logstore.keys.holders import NoHolder
from logstore.keys.keystore import KeyStore
from logstore.s3.address import Address
from logstore.s3.bucket import Bucket, Lock, Version
from logstore.storage.home import make_home, make_writer
from logstore.storage.log import Log, Options
from logstore.storage.orders import Order
from logstore.storage.reader import LogReader

pytestmark = [pytest.mark.servers, pytest.mark.slow]

QUERY = "select count(*) n from interactions"
OPTIONS = Options(protect=False, auto_seal_bytes=None, busy_timeout_s=10)
ORDER = Order("tester", "case 2")
HOUR = Lock("COMPLIANCE", in_an_hour())
DAY = "log=a/date=2026-11-25"


@dataclass
class Company:
    """A bucket with a log in it, the machine of its writer, and everybody who works with it.

    Attributes:
        owners: the bucket, as its owner sees it.
        archive: another one, with content whose retention is over.
        old: a log of its own in a third, whose content is to be kept no longer.
        staff: who works here.
        base: where the machines are.
    """

    owners: Bucket
    archive: Bucket
    old: BucketStore
    staff: Staff
    base: Path
    numbers: Iterator[int] = field(default_factory=count)

    def role(self, role: str) -> dict[str, Any]:
        """A role's policy here; the retention job has the archive, too."""
        made = role_policy(role, self.owners.address)
        more = role_policy(role, self.archive.address)["Statement"]
        return {**made, "Statement": made["Statement"] + more * (role == "retention-job")}

    def unsettled(self) -> bool:
        """Whether the bucket may not hold yet what the log says."""
        return bool(list(self.base.glob("writer/*/wal/*/guards.due")))

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
        return self.works("administrator", "writer", "status", "--json").objects[0]

    def settle(self, role: str) -> None:
        """Let a role finish what it could not, so that whoever comes next finds all in order."""
        self.staff.allow(role, self.role(role))
        with self.log(role) as log:
            if role == "writer":
                log.seal()
            if role == "retention-job":
                for hold in _reader(log).custody().in_force[1:]:
                    log.custodian.release(hold.number, ORDER)

    def longer(self) -> int:
        """Days for which something is to be kept, more each time."""
        return 730 + next(self.numbers)

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
    """An administrator made the log, and holds all that comes after its first segment."""
    server, base = rgw_servers["rgw-http"], tmp_path_factory.mktemp("company")
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        staff = Staff(server, patch)
        owners, archive, third = (server.new_bucket(prefix="ai/aircon") for _ in range(3))
        made = Company(owners, archive, BucketStore(base, third), staff, base)
        patch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint_url)
        patch.setenv("AIRCON_STORE", str(made.owners.address))
        made.works("administrator", "writer", "init", "--insecure-no-passphrase")
        made.works("administrator", "writer", "import", made.logs())
        made.works("administrator", "writer", "seal")
        onward = f"{made.status()['records']}-"
        made.works(
            "administrator", "writer", "hold", "add", "--records", onward, "--reason", "case 1"
        )
        made.works("administrator", "writer", "seal")
        assert not made.unsettled()
        _keep_for_a_second(made.archive)
        staff.become("administrator")
        _make_old(made.old, patch)
        yield made
        staff.dismiss()


def _keep_for_a_second(archive: Bucket) -> None:
    soon = Lock("COMPLIANCE", in_an_hour(1 / 3600))
    for number in range(10):
        archive.put(f"body/{DAY}/seg-{number:012d}-1.parquet", b"sealed", lock=soon)
    until(lambda: time.time() > soon.date.timestamp() + 0.5)


def _make_old(store: BucketStore, patch: pytest.MonkeyPatch) -> None:
    """A log of 300 days ago, whose content was to be kept for 200.

    No server takes a lock that is over, so its locks end in 5 s.
    """
    put = Bucket.put

    def put_now(bucket: Bucket, name: str, data: bytes, *, lock: Lock, **more: Any) -> Version:
        soon = in_an_hour(5 / 3600)
        return put(
            bucket, name, data, lock=Lock(lock.mode, max(lock.retain_until_us, soon)), **more
        )

    make_home(store.path, store.remote, Disk(immutable=False))
    make_writer(store.path, "0123456789abcdef", "COMPLIANCE", Disk(immutable=False))
    keys = KeyStore.create(store.keys_path, NoHolder(), origin=ORIGIN)
    then = Shifted(-300 * DAY_US)
    with patch.context() as patched:
        patched.setattr(Bucket, "put", put_now)
        with Log.create(store.path, keys, retention=KEPT, options=OPTIONS, clock=then) as log:
            log.append(chat("of long ago", "ada"))
            log.seal()
    store.path.with_name(f"{store.path.name}.policy").write_text(store.policy().text())


# -- what each role does --------------------------------------------------------------------------


def takes_in_and_seals(company: Company) -> None:
    """What is sealed is under hold, and what says so of an ended one is kept as long as asked."""
    with company.log("administrator") as log:
        placed = log.custodian.place(Placed([0, 1], then_days=company.longer()), ORDER)
        log.custodian.release(placed.hold.number, ORDER)
    company.works("writer", "writer", "import", company.logs())
    assert company.works("writer", "writer", "seal", "--json").objects[0]["segments"] == 1
    assert not company.unsettled()


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
    assert not company.unsettled(), "the supplement is held"


def places_and_lifts_holds(company: Company) -> None:
    words = ("--records", "0-1", "--reason", "case 2", "--then", f"{company.longer()}d", "--json")
    placed = company.works("retention-job", "writer", "hold", "add", *words).objects[0]
    assert placed["objects"] == 3
    words = ("release", str(placed["hold"]), "--reason", "case 2 is closed")
    company.works("retention-job", "writer", "hold", *words)
    assert not company.unsettled()


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


def _reader(log: Log) -> LogReader:
    return LogReader(log._store, log.origin, Policy((log.keys.signer().verifier(),)), log.keys)


WORK: dict[str, tuple[Callable[[Company], None], ...]] = {
    "writer": (takes_in_and_seals, goes_on_where_it_was_refused),
    "responder": (asks_from_elsewhere, opens_content_on_the_writers_machine),
    "auditor": (
        looks_after(
            "auditor", "versioning: on", "object lock: on", "as long as sealed, and held"
        ),
        verifies,
    ),
    "privacy-officer": (
        erases,
        looks_after("privacy-officer", "as long as sealed, and held"),
        finds_a_person,
    ),
    "retention-job": (places_and_lifts_holds, removes_what_is_over),
}  # fmt: skip


NOT_NEEDED = {
    "auditor": {"s3:ListBucket"},
    "privacy-officer": {
        "s3:ListBucket", "s3:GetBucketVersioning", "s3:GetBucketObjectLockConfiguration",
    },
    "retention-job": {"s3:PutObject"},
}  # fmt: skip
"""What is asked as well and may be refused: what `aircon doctor` then says so of (a refusal tells
the time too), and the sealing of a release, which is left to the writer."""

NOT_ASKED_BY_CEPH = {("privacy-officer", "s3:PutObjectRetention")}
"""Ceph 16.2 takes a lock in the headers of a put from whoever may put; AWS asks for the action."""


@pytest.mark.parametrize("role", ROLES)
def test_a_role_does_its_work_and_may_do_what_its_calls_need(company: Company, role: str) -> None:
    policy = company.role(role)
    company.staff.allow(role, policy)
    with recorded(company.staff.monkeypatch, role) as needed:
        for task in WORK[role]:
            task(company)
    lifts = {LIFTS} if role == "retention-job" else set()
    asked = needed - SHOWN - NOT_NEEDED.get(role, set())
    assert set(allowed(policy)) - SHOWN | lifts == asked


@pytest.mark.parametrize(
    ("role", "action"),
    [(role, action) for role in ROLES for action in allowed(role_policy(role, Address("any")))],
)
def test_less_any_one_action_it_can_not(company: Company, role: str, action: str) -> None:
    company.staff.allow(role, without(company.role(role), action))
    failed = []
    for task in WORK[role]:
        try:
            task(company)
        except (AssertionError, AirconError) as error:
            failed.append(error)
            break
    if failed:
        company.settle(role)
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


def test_what_the_writer_may_not_hold_is_held_by_the_retention_job(company: Company) -> None:
    """As docs/iam says of servers where who may place a hold may lift it."""
    company.staff.allow("writer", without(company.role("writer"), "s3:PutObjectLegalHold"))
    company.staff.allow("retention-job", company.role("retention-job"))
    company.works("writer", "writer", "import", company.logs())
    company.works("writer", "writer", "seal")
    assert company.unsettled()
    company.works("retention-job", "writer", "retention", "finish")
    assert not company.unsettled()


def test_the_retention_job_removes_what_a_plan_names_and_the_auditor_sees_that_it_may(
    company: Company,
) -> None:
    """Who may not list the whole bucket is told that access to what is gone is denied."""
    store, staff = company.old, company.staff
    for role in ("retention-job", "auditor"):
        staff.allow(role, role_policy(role, store.bucket.address))
    (pin,) = store.reader().pins
    assert pin.body is not None
    locked = staff.bucket("administrator", store.bucket.remote).head(pin.body.key, pin.body.version)
    assert locked.lock is not None
    until(lambda: _is_over(locked.lock))  # type: ignore[arg-type]

    def retention(*words: str) -> Answer:
        return company.works("retention-job", "old", "retention", *words, "--store", store.path)

    plan = retention("plan", "--json").objects[0]
    assert [each["key"] for each in plan["objects"]] == [pin.body.key]  # type: ignore[attr-defined]
    digest = str(plan["digest"])
    job = role_policy("retention-job", store.bucket.address)
    staff.allow("retention-job", without(job, "s3:DeleteObjectVersion"))
    words = ("apply", digest, "--reason", "its time is over", "--store", store.path)
    refused = company.run("retention-job", "old", "retention", *words)
    assert refused.code == 8
    assert "access is denied" in refused.err
    assert "the next `aircon retention plan` has them again" in refused.err
    assert store.bucket.history(pin.body.key)
    staff.allow("retention-job", job)
    done = retention("apply", digest, "--reason", "its time is over", "--json").objects[0]
    assert (done["removed"], done["kept"]) == (1, 0)
    assert store.bucket.history(pin.body.key) == []
    assert "No removal was broken off" in retention("finish").err
    staff.become("auditor")
    report = store.elsewhere(company.base / "auditor of old").verify()
    assert report.exit_code == 0, report.found
    assert "body-expired" in report.codes()


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
    # Ceph lets whoever put an object hold and release it, where that is not denied outright.
    "writer": {"put", "put a survivor", "cover", "lock for longer", "hold", "release"},
    "responder": set(),
    "auditor": set(),
    "privacy-officer": {"put a survivor"},
    "retention-job": {"hold", "release", "lock for longer", "remove free content"},
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
