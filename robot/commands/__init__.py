"""The verbs of the command line, a module each; `robot.cli` imports them by name when they are used."""
