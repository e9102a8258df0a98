"""From foreign files to a store on disk and back, with nothing of them in clear on the way."""

from __future__ import annotations

from pathlib import Path

from support.captured import items_of
from support.stores import TestStore

from logstore.capture.importing import import_files
from logstore.capture.importstate import ImportState
from logstore.capture.registry import decode
from logstore.formats.body import Body
from logstore.formats.record import CAPTURED
from logstore.storage.reader import LogReader

FOLDERS = ("capture/litellm-1.100.5", "capture/raw_http", "samples")


def numbers_by_source(reader: LogReader) -> dict[str, list[int]]:
    table = reader.table(0, reader.size)
    found: dict[str, list[int]] = {}
    for source, seq in zip(
        table.column("source").to_pylist(), table.column("seq").to_pylist(), strict=True
    ):
        if source.startswith("import/"):
            found.setdefault(source, []).append(seq)
    return found


def test_every_recorded_file_goes_in_and_comes_out_again(shared_data: Path, tmp_path: Path) -> None:
    paths = [shared_data / name for name in FOLDERS]
    store = TestStore(tmp_path)
    state = ImportState(tmp_path / "state", bytes(32))
    with store.create() as log:
        report = import_files(log, paths, state=state, rejects_dir=tmp_path / "rejects")
        again = import_files(log, paths, state=state, rejects_dir=tmp_path / "rejects")
        log.seal()
    state.close()
    wanted = [
        item
        for folder in paths
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        for item in items_of(path)
    ]
    assert again.taken == 0
    # The ndjson recording begins with the bytes of a single one: to an import, that file grown.
    assert report.taken == len(wanted) - 1
    reader = store.reader()
    found = [
        content for _, leaf, content in reader.contents(0, reader.size) if leaf.kind in CAPTURED
    ]
    assert all(isinstance(content, Body) for content in found)
    assert {c.raw for c in found if isinstance(c, Body)} == {item.raw for item in wanted}
    assert all(decode(c.raw, c.format) for c in found if isinstance(c, Body))
    for token, numbers in numbers_by_source(reader).items():
        assert numbers == list(range(len(numbers))), token


def test_no_word_of_an_import_stands_in_clear_on_the_disk(
    shared_data: Path, tmp_path: Path
) -> None:
    store = TestStore(tmp_path)
    state = ImportState(tmp_path / "state", bytes(32))
    rejected = tmp_path / "bad.jsonl"
    rejected.write_bytes(b'{"aircon":1}\n{"maria.keller@example.com": broken\n')
    with store.create() as log:
        import_files(
            log,
            [shared_data / "capture/litellm-1.100.5", rejected],
            state=state,
            rejects_dir=tmp_path / "rejects",
        )
    state.close()
    rejected.unlink()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 4
    for path in files:
        data = path.read_bytes().lower()
        for word in (b"maria", b"keller", b"user-4711", b"sess-001", b"203.0.113.7", b"de89 3704"):
            assert word not in data, path
