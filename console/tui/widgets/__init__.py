"""Widgets of the console. Log text reaches them only through `console.presenters`."""
