"""From the arguments of the process to its exit code: what went wrong is said in one line."""

from __future__ import annotations

import errno
import io
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final, NoReturn, cast

import typer

from clvmodels.cli.commands import app
from clvmodels.cli.streams import silence
from clvmodels.errors import ClvError
from clvmodels.files import remove_workplaces
from clvmodels.interrupts import Ending
from clvmodels.reporting.plain import plain

__all__ = ["main"]

_INTERRUPTED: Final = 130
_WRONG: Final = 2
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# typer carries a click of its own from 0.22 on; the family of its errors is found from the one it gives away.
_ParseError: Final[type[Exception]] = next(
    kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException"
)

_OF_DAYS: Final = ("--closings", "--cutoffs")
# What is taken for a day of theirs: by itself, right after the option, and after another closing.
_NOTHING: Final = re.compile(r"(?!)")
_NO_OPTION: Final = re.compile(r"(?!-).*", re.DOTALL)
_LIKE_A_DAY: Final = re.compile(r"\d[\d.,/-]*")


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave: 0 if all went well, 2 if something given was wrong, 130 if interrupted.

    Another signal that asks the process to end gives 128 and its number, such as 143 for SIGTERM.

    Parameters
    ----------
    arguments
        What stands behind the name of the command; that of the process by default, which is then ours to end.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a letter that a terminal does not have must not end a run
    if arguments is not None:
        sys.exit(_code(arguments))
    code = _INTERRUPTED
    with Ending(remove_workplaces) as ending:
        code = _code(sys.argv[1:])
    if ending.number is not None:
        ending.leave()
    sys.exit(code)


def _code(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code."""
    try:
        code = app(list(_spread(arguments)), prog_name="clvmodels", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except RuntimeError as error:
        if str(error) != "Query interrupted":  # what DuckDB makes of an interrupt
            raise
        code = _INTERRUPTED
    except _ParseError as error:
        code = _misread(cast("Any", error))
    except ClvError as error:
        code = _fail(str(error))
    except MemoryError:
        code = _fail("there is not enough memory for this; with a log in Parquet, --memory-gb limits what is taken")
    except OSError as error:
        if error.filename is None and error.errno not in _NO_ROOM:
            raise
        code = _fail(f"{error.strerror}{'' if error.filename is None else f': {str(error.filename)!r}'}")
    return code if isinstance(code, int) else 0


def _spread(arguments: Sequence[str]) -> Iterator[str]:
    """Yield the arguments, with ``--closings DAY DAY`` (or ``--cutoffs``) as an option for each day.

    What stands next to it, and then whatever looks like a day, is one: if it is not, the error says what days are.

    Examples
    --------
    >>> list(_spread(["--closings", "1997-09-30", "30.6.1998", "log.csv"]))
    ['--closings', '1997-09-30', '--closings', '30.6.1998', 'log.csv']
    """
    taken, days = _NOTHING, ""
    for argument in arguments:
        option, _, first = argument.partition("=")
        if option in _OF_DAYS:
            days = option
            taken = _LIKE_A_DAY if first else _NO_OPTION
            yield from (option, first) if first else ()
        elif taken.fullmatch(argument):
            taken = _LIKE_A_DAY
            yield from (days, argument)
        else:
            taken = _NOTHING
            yield argument


def _misread(error: Any) -> int:  # noqa: ANN401 - the class has another name from one typer to the next
    """Say what is wrong with the options, and where to read what is right; nothing if the help has just been shown."""
    message = error.format_message().removesuffix(".")
    command = error.ctx.command_path if error.ctx else "clvmodels"
    return _fail(f"{message}; see {command} --help") if message else _WRONG


def _fail(message: str) -> int:
    from clvmodels.reporting.hints import as_options

    shown = f"{typer.style('error:', fg='red', bold=True)} {plain(as_options(message), lines=True)}"
    try:
        typer.echo(shown, err=True)
    except OSError:  # nobody reads what was wrong; the exit code says that something was
        silence(sys.stderr)
    return _WRONG
