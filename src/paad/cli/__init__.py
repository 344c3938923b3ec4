"""The command line: parse, call one function, print.

A command is one module of this room with one function, ``configure(parser, argv)``: it declares the command's
arguments on an :class:`argparse.ArgumentParser` (``argv`` are the command's raw arguments, needed only by commands
whose options depend on an argument, as ``fit`` does) and ends with ``parser.set_defaults(run=run)``.
``run(args) -> int | None`` does the work; None means exit code 0. It raises :class:`paad.errors.PaadError`;
only :mod:`paad.cli.main` turns errors into messages and exit codes. A command joins by a line in
``paad.cli.main.COMMANDS``; its module is imported only when it is called, so modules may not be heavy at import.
"""
