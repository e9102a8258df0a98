"""The rows of the command table, by what people want; joined in `console.commands`."""
