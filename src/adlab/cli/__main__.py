"""`python -m adlab.cli` is `adlab`."""

from adlab.cli import main

main()
