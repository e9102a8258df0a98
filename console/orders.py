"""Who is at the keyboard and why, as an order that the log keeps."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from console.access import operator
from logstore.errors import UsageError

if TYPE_CHECKING:
    from logstore.storage.orders import Order


def order(args: argparse.Namespace, *names: str) -> Order:
    """The order that a command's ``--reason`` makes, with the operator and what was asked for.

    Args:
        args: the command's.
        names: of the options that say what was asked for.

    Raises:
        UsageError: there is no reason, or the operator's name is none.
    """
    from logstore.storage.orders import Order, check_order

    if not args.reason:
        raise UsageError("this needs a reason", kept="Nothing was changed.", todo="Give --reason.")
    asked = [f"{name} {getattr(args, name)}" for name in names if getattr(args, name) is not None]
    return check_order(Order(operator(), args.reason, f"{args.action} {', '.join(asked)}".strip()))
