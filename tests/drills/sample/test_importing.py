"""Every file of the sample goes through our own splitters and decoders without a loss."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from support.memory_log import MemoryLog

from logstore.capture.beside import Folder
from logstore.capture.importing import import_files
from logstore.capture.importstate import ImportState
from logstore.capture.inflating import inflated
from logstore.capture.interaction import Interaction
from logstore.capture.items import Bad, Context
from logstore.capture.registry import decode
from logstore.capture.splitting import split
from logstore.errors import FormatError

from .conftest import Sample


def taken(path: Path) -> Iterator[tuple[Interaction, Context | None] | None]:
    """Interactions of a file with the identity joined to them; None for what was refused."""
    with path.open("rb") as file, closing(Folder(path)) as folder:
        for item in split(inflated(file)[0], folder=folder):
            if isinstance(item, Bad):
                yield None
                continue
            try:
                yield decode(item.raw, item.format), item.context
            except FormatError:
                yield None


@pytest.fixture(scope="module")
def imported(sample: Sample) -> dict[str, list[tuple[Interaction, Context | None] | None]]:
    return {
        entry.path: list(taken(sample.root / entry.path))
        for entry in sample.manifest.files
        if entry.format != "bedrock.body"
    }


def test_every_entry_comes_in_and_only_the_planted_lines_are_refused(sample, imported) -> None:
    for entry in sample.manifest.files:
        if entry.format == "bedrock.body":
            continue
        found = imported[entry.path]
        assert found.count(None) == entry.bad, entry.path
        assert len(found) - entry.bad == entry.entries, entry.path


def test_every_interaction_has_a_time_inside_the_fortnight(imported) -> None:
    from drills.sample.company import END, HOUR, START

    for path, found in imported.items():
        for pair in found:
            if pair is not None:
                assert pair[0].start_us is not None, path
                assert START - HOUR <= pair[0].start_us < END + 2 * HOUR


def test_large_bedrock_bodies_are_read_from_beside_the_log(imported) -> None:
    gaps = [
        gap for path, found in imported.items() if path.startswith("bedrock") for i, _ in found
        for gap in i.gaps
    ]  # fmt: skip
    assert "content-by-reference" not in gaps


def test_customers_of_the_web_chat_are_joined_from_the_root_span(sample, imported) -> None:
    known = set()
    for path, found in imported.items():
        if path.startswith("wren-web"):
            for pair in found:
                if pair is None or pair[0].operation != "chat":
                    continue
                subjects = [*pair[0].subjects, *(pair[1].subjects if pair[1] else ())]
                assert subjects, path
                known |= {subject.id for subject in subjects}
    leaked = sample.story("kb-image-leak")["people"]
    assert {person for person in leaked if person.startswith("u-")} <= known


def test_versions_documents_and_datasets_reach_the_interaction(imported) -> None:
    web = [
        pair[0]
        for path, found in imported.items()
        if path.startswith("wren-web")
        for pair in found
        if pair and pair[0].operation == "chat"
    ]
    assert {call.model_version or call.extra["aircon.model.version"] for call in web} == {
        "1.4.2",
        "1.5.0",
        "1.5.1",
    }
    documents = [call.document_ids or call.extra.get("aircon.document.ids", []) for call in web]
    assert any("KB-2417" in found for found in documents)
    datasets = [call.dataset_ids or call.extra["aircon.dataset.ids"] for call in web]
    assert any("ds-billing-dialogues@r7" in found for found in datasets)
    assert {call.prompt_version for call in web} == {"v31", "v32", "v33"}


def test_importing_the_folder_takes_every_entry_and_names_every_broken_line(
    sample, tmp_path: Path
) -> None:
    log = MemoryLog()
    state = ImportState(tmp_path / "state", bytes(32), log)
    report = import_files(log, [sample.root], state=state, rejects_dir=tmp_path / "rejects")
    assert report.taken == sample.manifest.entries
    calls = sum(entry.interactions for entry in sample.manifest.files)
    assert report.interactions == calls < sample.manifest.entries
    assert len(log.of_kind("interaction")) == calls
    assert len(log.of_kind("span")) == report.aside
    assert report.rejected == sample.manifest.bad
    # Large bodies beside Bedrock's log and the inputs of answered batches are taken in with what
    # names them, not by themselves.
    bodies = [
        entry
        for entry in sample.manifest.files
        if entry.format == "bedrock.body" or (entry.format == "openai.batch" and not entry.entries)
    ]
    found = [file for file in report.files if file.status == "body-object"]
    assert len(found) == len(bodies)


def test_a_second_import_of_the_folder_knows_all_of_it(sample, tmp_path: Path) -> None:
    log = MemoryLog()
    for expected in (sample.manifest.entries, 0):
        state = ImportState(tmp_path / "state", bytes(32), log)
        report = import_files(log, [sample.root], state=state, rejects_dir=tmp_path / "rejects")
        state.close()
        assert report.taken == expected
    strangers = [file.path for file in report.files if file.status == "unrecognised"]
    assert [Path(path).name for path in strangers] in (["README.md"], [])


def test_an_empty_file_is_nothing_to_worry_about(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    log = MemoryLog()
    state = ImportState(tmp_path / "state", bytes(32), log)
    report = import_files(log, [tmp_path / "empty.jsonl"], state=state, rejects_dir=tmp_path / "r")
    assert [file.status for file in report.files] == ["empty"]
    assert (report.taken, report.rejected) == (0, 0)
