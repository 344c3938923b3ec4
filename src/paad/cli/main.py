"""``paad``: find the command, load its module, run it, turn errors into exit codes.

Exit codes: 0 done, 2 wrong usage, 3 unusable input, 4 something optional is missing, 1 anything else
(an interruption among them).
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec

from paad._version import __version__
from paad.errors import PaadError

COMMANDS = {
    "demo": "make a small data set, fit, inspect and write a report; needs no input",
    "data": "check an object folder, or convert it to another layout",
    "synth": "generate brick toys with defects: posed photos, masks, true poses",
    "fit": "learn one object from posed photos of good specimens",
    "inspect": "find defects in new photos",
    "evaluate": "measure a model on an object's labelled test photos",
    "bench": "run and report benchmarks over methods, objects and seeds",
    "export": "write a model's 3D field to a file of another program",
    "methods": "list the detectors that fit, inspect and bench can use",
    "weights": "list, fetch or verify the weights of feature networks",
    "doctor": "say what this machine can do and what is missing",
}
"""Name and one line of help of every command; the module is ``paad.cli.<name>``."""

_SEND_AGAIN_SECONDS = 0.05

_EPILOG = """\
exit codes: 0 done, 2 wrong usage, 3 unusable input, 4 something optional is missing, 1 anything else
'paad COMMAND --help' explains one command. Start with: paad demo
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit code. ``argv`` defaults to the process's arguments."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in arguments or bool(os.environ.get("PAAD_DEBUG"))
    # Taken out here, so that it may stand anywhere without every subparser declaring it.
    arguments = [argument for argument in arguments if argument != "--debug"]
    if argv is None:
        _heed_interrupts()
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a file name may not fit the terminal's encoding
    try:
        parser = _parser(arguments)
        if not arguments:
            parser.print_help(sys.stderr)
            return 2
        args = parser.parse_args(arguments)
        args.debug = debug
        return int(args.run(args) or 0)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 2
    except PaadError as error:
        return _fail(str(error), error.exit_code, debug)
    except KeyboardInterrupt:
        return _fail("interrupted; nothing half-written was left behind", 1, debug)
    except BrokenPipeError:
        # The reader of our output went away (as `head` does); Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except MemoryError:
        return _fail("out of memory; use smaller or fewer images, or a machine with more", 1, debug)
    except Exception as error:
        text = " ".join(str(error).split()) or "no message"
        hint = "" if debug else " (add --debug or set PAAD_DEBUG=1 for the traceback)"
        return _fail(f"unexpected {type(error).__name__}: {text}{hint}", 1, debug)


def _heed_interrupts() -> None:
    """Let an interrupt end this process whenever it comes.

    A polite kill ends like Ctrl-C, so that temporary files are removed; so does an interrupt that was sent to a job
    which a script had put in the background, where Python would ignore it. One that arrives inside a destructor or a
    callback of the garbage collector (each import runs one) is lost in Python: it is sent again.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    report = sys.unraisablehook

    def again(unraisable: sys.UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            # Not from here, where it would be lost as well.
            timer = threading.Timer(_SEND_AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT))
            timer.daemon = True
            with contextlib.suppress(RuntimeError):  # no new thread: the process is ending already
                timer.start()
        else:
            report(unraisable)

    sys.unraisablehook = again


def available() -> dict[str, str]:
    """The commands whose module is present, with their help."""
    return {name: text for name, text in COMMANDS.items() if find_spec(f"paad.cli.{name}") is not None}


def _parser(arguments: list[str]) -> argparse.ArgumentParser:
    """The parser of all commands; only the chosen command's module is imported."""
    parser = argparse.ArgumentParser(
        prog="paad",
        description="Find defects on an object from photos taken from any direction.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"paad {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error; may stand anywhere")
    commands = parser.add_subparsers(metavar="COMMAND", required=True, title="commands")
    chosen = next((a for a in arguments if not a.startswith("-")), None)
    for name, text in available().items():
        one = commands.add_parser(
            name,
            help=text,
            description=f"{text[0].upper()}{text[1:]}.",
            allow_abbrev=False,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        if name == chosen:
            import_module(f"paad.cli.{name}").configure(one, arguments[arguments.index(name) + 1 :])
    return parser


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        import traceback

        traceback.print_exc()
    print(f"paad: {message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
