"""The token file on disk: who may read it, who wins, and what a crash or a broken edit leaves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.faulty_disk import FaultyDisk, Killed, Mode

from logstore.disk import Disk
from logstore.errors import CannotJudge, NotDurable, NotFound, UsageError, WriterBusy
from logstore.receiving import tokenfile
from logstore.receiving.tokenfile import TokenBook
from logstore.receiving.tokens import Token, Wish

ROOT = Path(__file__).resolve().parents[3]
GATEWAY = Wish("gateway", "gateway")


def untold(_token: Token) -> None:
    """Tells nobody."""


def refuse(_token: Token) -> None:
    raise WriterBusy("the log is held by another")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "evidence.tokens"


def names(path: Path) -> list[str]:
    return [token.name for token in tokenfile.load(path)]


def now_us() -> int:
    return tokenfile._now_us()


def test_the_first_token_makes_the_file_for_its_owner_only(path: Path) -> None:
    told: list[Token] = []
    before = os.umask(0)
    token, text = tokenfile.add(path, GATEWAY, told.append)
    os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o600
    assert told == [token]
    assert text not in path.read_text()
    assert TokenBook(path).judge(text, "write", now_us()).token == token
    assert tokenfile.revoke(path, "gateway", told.append).id == token.id
    assert TokenBook(path).judge(text, "write", now_us()).standing == "revoked"
    assert [each.revoked_us is None for each in told] == [True, False]


def test_no_two_tokens_are_alike(path: Path) -> None:
    texts = {tokenfile.add(path, Wish(f"t{n}", "x"), untold)[1] for n in range(20)}
    assert len(texts) == len({text[7:15] for text in texts}) == 20


def test_what_can_not_be_put_on_record_does_not_happen(path: Path) -> None:
    with pytest.raises(WriterBusy):
        tokenfile.add(path, GATEWAY, refuse)
    assert not path.exists()
    tokenfile.add(path, GATEWAY, untold)
    before = path.read_bytes()
    with pytest.raises(WriterBusy):
        tokenfile.revoke(path, "gateway", refuse)
    assert path.read_bytes() == before
    assert not list(path.parent.glob(".*.tmp"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o666, 0o610])
def test_a_file_that_is_open_to_others_is_refused(path: Path, mode: int) -> None:
    tokenfile.add(path, GATEWAY, untold)
    path.chmod(mode)
    with pytest.raises(UsageError, match=f"mode {mode:04o}") as caught:
        tokenfile.load(path)
    assert caught.value.todo.startswith(f"Say `chmod 600 {path}`")
    with pytest.raises(UsageError):
        tokenfile.add(path, Wish("other", "x"), untold)
    path.chmod(0o400)
    assert names(path) == ["gateway"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(path: Path) -> None:
    tokenfile.add(path, GATEWAY, untold)
    os.chown(path, 12_345, 12_345)
    with pytest.raises(UsageError, match="belongs to another user"):
        tokenfile.load(path)


def test_what_is_no_token_file_is_said_and_left_alone(path: Path) -> None:
    with pytest.raises(NotFound, match="no token file"):
        tokenfile.load(path)
    with pytest.raises(NotFound):
        tokenfile.revoke(path, "gateway", untold)
    with pytest.raises(NotFound, match="no directory"):
        tokenfile.add(path / "deeper" / "file", GATEWAY, untold)
    path.write_bytes(b"gateway:secret\n")
    path.chmod(0o600)
    with pytest.raises(CannotJudge, match="is not a token file"):
        tokenfile.add(path, GATEWAY, untold)
    assert path.read_bytes() == b"gateway:secret\n"
    path.unlink()
    os.mkfifo(path, 0o600)
    with pytest.raises(UsageError, match="no plain file"):
        tokenfile.load(path)
    path.unlink()
    path.symlink_to(path)
    for act in (
        tokenfile.load,
        lambda place: tokenfile.revoke(place, "gateway", untold),
        lambda place: tokenfile.add(place, GATEWAY, untold),
    ):
        with pytest.raises(CannotJudge, match="can not be read"):
            act(path)
    assert path.is_symlink()


def test_a_link_to_the_file_stays_a_link(path: Path, tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    path.symlink_to(tmp_path / "secrets" / "tokens")
    tokenfile.add(path, GATEWAY, untold)
    tokenfile.add(path, Wish("second", "x"), untold)
    assert path.is_symlink()
    assert names(tmp_path / "secrets" / "tokens") == ["gateway", "second"]


def test_only_its_own_remains_are_swept(tmp_path: Path) -> None:
    path = tmp_path / "*"
    (tmp_path / ".other.0123.tmp").write_text("somebody else's")
    (tmp_path / ".*.0123.tmp").write_text("left by a crash")
    tokenfile.add(path, GATEWAY, untold)
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "*", ".*.lock", ".other.0123.tmp",
    ]  # fmt: skip


def test_two_people_at_once_lose_nothing(path: Path) -> None:
    code = (
        "import sys, pathlib\n"
        "from logstore.receiving import tokenfile\n"
        "from logstore.receiving.tokens import Wish\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "for n in range(8):\n"
        "    tokenfile.add(path, Wish(f'{sys.argv[2]}{n}', 'x'), lambda token: None)\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(path), name], cwd=ROOT) for name in "abc"
    ]
    assert [each.wait(60) for each in running] == [0, 0, 0]
    assert sorted(names(path)) == sorted(f"{name}{n}" for name in "abc" for n in range(8))


@pytest.mark.parametrize("mode", ["before", "torn", "after", "power"])
def test_a_crash_leaves_the_old_file_or_the_new_one(tmp_path: Path, mode: Mode) -> None:
    counting = FaultyDisk(tmp_path)
    tokenfile.add(tmp_path / "count", GATEWAY, untold, disk=counting)
    assert len(counting.calls) >= 4
    for fatal in range(len(counting.calls)):
        place = tmp_path / f"{fatal}"
        place.mkdir()
        path = place / "tokens"
        tokenfile.add(path, GATEWAY, untold)
        told: list[Token] = []
        with pytest.raises(Killed):
            tokenfile.add(
                path, Wish("second", "x"), told.append, disk=FaultyDisk(place, fatal, mode)
            )
        found = names(path)
        assert found in (["gateway"], ["gateway", "second"])
        assert told or found == ["gateway"]  # nothing that the log does not know
        tokenfile.add(path, Wish("third", "x"), untold)
        assert names(path) == [*found, "third"]
        assert not list(place.glob(".tokens.*.tmp"))


class FullDisk(Disk):
    """Has no room for data."""

    def sys_write(self, fd: int, data: bytes | memoryview, offset: int) -> int:
        raise OSError(28, "No space left on device")


def test_a_full_disk_is_noticed_before_the_log_is_told(path: Path) -> None:
    tokenfile.add(path, GATEWAY, untold)
    told: list[Token] = []
    with pytest.raises(NotDurable, match="No space left"):
        tokenfile.revoke(path, "gateway", told.append, disk=FullDisk())
    assert told == []
    assert next(iter(tokenfile.load(path))).revoked_us is None


def test_a_running_book_follows_the_file(path: Path) -> None:
    _, text = tokenfile.add(path, GATEWAY, untold)
    book = TokenBook(path)
    assert not book.stale()
    tokenfile.revoke(path, "gateway", untold)
    assert book.judge(text, "write", now_us()).standing == "ok"
    assert book.stale()
    assert book.reload() == len(book) == 1
    assert book.judge(text, "write", now_us()).standing == "revoked"
    assert not book.stale()


def test_a_broken_new_file_leaves_the_old_book_in_force(path: Path) -> None:
    _, text = tokenfile.add(path, GATEWAY, untold)
    good = path.read_bytes()
    book = TokenBook(path)
    for breaking in (
        lambda: path.write_bytes(good[:-20]),
        lambda: path.chmod(0o644),
        path.unlink,
    ):
        breaking()
        with pytest.raises((CannotJudge, UsageError, NotFound)) as caught:
            book.reload()
        assert "stay in force" in caught.value.kept
        assert book.judge(text, "write", now_us()).standing == "ok"
    path.write_bytes(good)
    path.chmod(0o600)
    assert book.stale()
    assert book.reload() == 1


def test_a_broken_file_is_complained_of_once(path: Path) -> None:
    tokenfile.add(path, GATEWAY, untold)
    book = TokenBook(path)
    path.chmod(0o644)
    assert book.stale()
    with pytest.raises(UsageError):
        book.reload()
    assert not book.stale()
    path.chmod(0o600)
    assert book.stale()
    path.unlink()
    assert not book.stale()
