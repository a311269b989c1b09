"""`python -m robot` is the same as `robot`."""

from robot.cli import main

main()
