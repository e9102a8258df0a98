"""Ceph's S3 server (RGW) from Debian's packages: one monitor, one disk in memory, one gateway.

A real server with real signatures, locks and policies. It listens on loopback only, over http and
https at once, and is gone with whoever started it, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

from support.certificates import Certificates
from support.client_programs import free_port
from support.s3_servers import CREDENTIALS, Server, answers
from support.waiting import until

USERS = (
    "administrator", "writer", "responder", "auditor", "privacy-officer", "retention-job",
)  # fmt: skip
"""Beside the tests' own: the first may do everything in every bucket and give the others, who may
do nothing yet, policies."""

ROTATED = {"AWS_ACCESS_KEY_ID": "rotated", "AWS_SECRET_ACCESS_KEY": "secret-of-rotated"}
"""A second key of the tests' own user, as there is one while keys are rotated."""

PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph", "setpriv")

_CONFIGURATION = """\
[global]
fsid = {cluster}
mon_host = {monitor}
mon_initial_members = a
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
# Nobody but this machine can reach the daemons; S3's own signatures are checked all the same.
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
# Without authentication there is no key to encrypt under, and the gateway would wait for one.
ms_mon_client_mode = crc
run_dir = {folder}
admin_socket =
pid_file =
log_file = {folder}/$name.log
mon_cluster_log_file = {folder}/cluster.log
crash_dir = {folder}
# One copy of everything, in one place, in memory.
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pgp_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
# A monitor alone has nobody to wait for: a start takes 1.5 s with these two, 13 s without.
paxos_propose_interval = 0.01
paxos_min_wait = 0.01
[mon.a]
mon_data = {folder}/mon
mon_data_avail_crit = 0
mon_data_avail_warn = 0
[osd.0]
osd_data = {folder}/osd
osd_uuid = {disk}
osd_objectstore = memstore
memstore_device_bytes = 2147483648
osd_class_load_list = *
osd_class_default_list = *
[client.rgw]
rgw_data = {folder}/rgw
# Without the last word every listing waits 40 ms for an acknowledgement that the client puts off.
rgw_frontends = beast endpoint=127.0.0.1:{http} ssl_endpoint=127.0.0.1:{https} \
ssl_certificate={certificate} ssl_private_key={key} tcp_nodelay=1
rgw_run_sync_thread = false
rgw_thread_pool_size = 32
rgw_num_rados_handles = 1
rgw_override_bucket_index_max_shards = 1
rgw_data_log_num_shards = 1
rgw_gc_max_objs = 1
rgw_lc_max_objs = 1
rgw_objexp_hints_num_shards = 1
"""


def credentials_of(user: str) -> dict[str, str]:
    """What the environment says to be one of `USERS`."""
    return {"AWS_ACCESS_KEY_ID": user, "AWS_SECRET_ACCESS_KEY": f"secret-of-{user}"}


def is_installed() -> bool:
    """Whether this machine has what `rgw` starts; `make servers` installs it where it may."""
    return all(shutil.which(program) for program in PROGRAMS)


@contextlib.contextmanager
def rgw(folder: Path, tls: Certificates) -> Iterator[tuple[Server, Server]]:
    """The gateway over http and over https, until the block ends.

    Args:
        folder: empty, its path without spaces; holds configuration and logs.
        tls: what https shows.
    """
    cluster = _Cluster(folder, tls)
    with contextlib.ExitStack() as daemons:
        cluster.start(daemons)
        yield cluster.servers


class _Cluster:
    def __init__(self, folder: Path, tls: Certificates) -> None:
        self._folder = folder
        self._file = folder / "ceph.conf"
        self._cluster, self._disk = str(uuid.uuid4()), str(uuid.uuid4())
        self._monitor = f"[v2:127.0.0.1:{free_port()},v1:127.0.0.1:{free_port()}]"
        http, https = free_port(), free_port()
        self.servers = (
            Server("rgw-http", f"http://127.0.0.1:{http}"),
            Server("rgw-https", f"https://127.0.0.1:{https}", str(tls.ca)),
        )
        for name in ("mon", "osd", "rgw"):
            (folder / name).mkdir()
        self._file.write_text(
            _CONFIGURATION.format(
                cluster=self._cluster, disk=self._disk, monitor=self._monitor, folder=folder,
                http=http, https=https, certificate=tls.server, key=tls.server_key,
            ),
            "utf-8",
        )  # fmt: skip

    def start(self, daemons: contextlib.ExitStack) -> None:
        """Start what a gateway needs, in order, and a user for the tests."""
        membership = self._folder / "monmap"
        address = ["--addv", "a", self._monitor, "--fsid", self._cluster]
        _run("monmaptool", "--create", *address, membership)
        self._do("ceph-mon", "-i", "a", "--mkfs", "--monmap", membership)
        daemons.enter_context(self._daemon("ceph-mon", "-i", "a"))
        self._do("ceph", "--connect-timeout", "60", "osd", "new", self._disk, "0")
        self._do("ceph-osd", "-i", "0", "--mkfs", "--no-mon-config")
        daemons.enter_context(self._daemon("ceph-osd", "-i", "0"))
        gateway = daemons.enter_context(self._daemon("radosgw", "-n", "client.rgw"))
        self._make_user("tester", CREDENTIALS)
        key, secret = ROTATED.values()
        more = ["--key-type", "s3", "--access-key", key, "--secret", secret]
        self._do("radosgw-admin", "key", "create", "--uid", "tester", *more)
        for name in USERS:
            is_first = ["--admin", "--caps", "user-policy=*"] if name == USERS[0] else []
            self._make_user(name, credentials_of(name), *is_first)
        until(lambda: gateway.poll() is not None or answers(self.servers[0].endpoint_url))
        assert gateway.poll() is None, self._said("client.rgw")

    def _make_user(self, name: str, credentials: dict[str, str], *more: str) -> None:
        keys = ["--access-key", credentials["AWS_ACCESS_KEY_ID"]]
        keys += ["--secret-key", credentials["AWS_SECRET_ACCESS_KEY"]]
        who = ["--uid", name, "--display-name", name]
        self._do("radosgw-admin", "user", "create", *who, *keys, *more)

    def _do(self, program: str, *words: str | Path) -> None:
        _run(program, "-c", self._file, *words)

    @contextlib.contextmanager
    def _daemon(self, program: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        # The kernel ends it when we end; it would take 6 s to end in order, with nothing to save.
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", program, "-c", self._file, "-f", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ["PATH"]},
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(30)

    def _said(self, name: str) -> str:
        log = self._folder / f"{name}.log"
        return log.read_text("utf-8", "replace")[-2000:] if log.exists() else f"{name} said nothing"


def _run(program: str, *words: str | Path) -> None:
    done = subprocess.run(
        [program, *words],
        env={"PATH": os.environ["PATH"]},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{program}: {done.stderr[-2000:]}"
