"""`python -m pointsman.cli` is the `pointsman` command."""

from .main import main

main()
