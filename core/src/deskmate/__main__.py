"""`python -m deskmate` is `deskmate`."""

from deskmate.cli import main

main()
