"""There is no collector here; the names in its configuration are at least ones it documents."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from support.recipes import PROGRAMS

# What the collector's own documentation names (exporter/otlphttpexporter, exporterhelper,
# config/confighttp, receiver/otlpreceiver, extension/storage/filestorage).
COLLECTOR = {
    "receivers": {"otlp": {"protocols": {"grpc": {"endpoint"}, "http": {"endpoint"}}}},
    "extensions": {"file_storage": {"directory"}},
    "exporters": {
        "otlphttp": {
            "endpoint": set(),
            "headers": {"Authorization"},
            "compression": set(),
            "retry_on_failure": {"enabled", "initial_interval", "max_interval", "max_elapsed_time"},
            "sending_queue": {"enabled", "num_consumers", "queue_size", "storage"},
        }
    },
}


def test_the_collectors_configuration_uses_names_it_documents(client_python: Path) -> None:
    read = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)"
    done = subprocess.run(
        [client_python, "-c", read],
        input=(PROGRAMS / "collector.yaml").read_text("utf-8"),
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    service = found.pop("service")
    _known(found, COLLECTOR)
    assert service["extensions"] == list(found["extensions"])
    for pipeline in service["pipelines"].values():
        assert set(pipeline["receivers"]) <= found["receivers"].keys()
        assert set(pipeline["exporters"]) <= found["exporters"].keys()


def _known(found: object, names: object) -> None:
    if isinstance(found, dict):
        assert isinstance(names, dict | set)
        assert found.keys() <= set(names)
        if isinstance(names, dict):
            for key, value in found.items():
                _known(value, names[key])
