"""The client: an application's own calls to models, recorded at an aircon endpoint."""
