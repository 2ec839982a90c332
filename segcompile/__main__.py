"""`python -m segcompile`."""

from segcompile.cli import main

main()
