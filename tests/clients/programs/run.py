"""Run one application: `run.py TELEMETRY CALLS`, both names of modules beside this file.

TELEMETRY is what a page of docs/capture shows; CALLS is an application that knows nothing of it.
"""

import importlib
import sys


def main() -> None:
    """Set the telemetry up, then work."""
    telemetry = importlib.import_module(sys.argv[1])
    calls = importlib.import_module(sys.argv[2])
    calls.work(telemetry)


if __name__ == "__main__":
    main()
