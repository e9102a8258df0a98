"""What each application's users do: one module per kind of work, yielding turns."""
