"""Child process of `bench.starting`: prints seconds from process start to the first rows."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from argparse import Namespace
from pathlib import Path

_PATIENCE_S = 60


def since_start() -> float:
    """Seconds since this process began, interpreter included."""
    ticks = int(Path("/proc/self/stat").read_text().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


async def show(base: Path) -> float:
    """Open the console over a store, in the order `aircon console` does, and wait for rows."""
    from console.opening import OpenStore
    from console.verbs.console import begin_loading

    begin_loading()
    args = Namespace(
        store=str(base / "evidence"), keys=None, policy=str(base / "evidence.policy"),
        clear_only=False, insecure_no_passphrase=True, passphrase_fd=None, passphrase_file=None,
        reason="bench",
    )  # fmt: skip
    with OpenStore(args, "console") as store:
        store.explorer.refresh()

        from console.tui.app import ConsoleApp
        from console.tui.widgets.row_window import RowWindow

        app = ConsoleApp(store)
        async with app.run_test(size=(120, 40)) as pilot:
            while not app.screen.query_one(RowWindow).pages_held:
                await pilot.pause(0.005)
                if since_start() > _PATIENCE_S:
                    raise TimeoutError("the console shows no rows")
            return since_start()


if __name__ == "__main__":
    print(asyncio.run(show(Path(sys.argv[1]))))
