"""`python -m pointsman` is the `pointsman` command."""

from .cli.main import main

main()
