"""The program `aircon`: runs the command line and turns every ending into an exit code."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """Run `aircon`; returns the exit code."""
    from console import cli, diagnostics, output, ownpackages

    try:
        output.prepare()
        ownpackages.require()
        code = cli.run(sys.argv[1:] if argv is None else argv)
        output.flush()
    except BrokenPipeError:
        output.abandon()
        return diagnostics.PIPE_CLOSED
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - people get words and a code
        return diagnostics.report(error)
    return code


if __name__ == "__main__":
    sys.exit(main())
