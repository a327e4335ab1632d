"""The demo: a bundled mix of everyday requests, sent through a real gateway."""
