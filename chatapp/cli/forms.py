"""click commands with help, usage and errors in the terminal's language.

click's own texts are English; here they come from the catalogue. A command that ends early (`End`)
or with one of our errors prints a sentence, or `{"error": …}` with --json.
"""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from chatapp import i18n
from chatapp.cli.terminal import (
    INTERRUPTED,
    MISUSED,
    End,
    error_text,
    note,
    print_json,
    program,
    say,
)
from chatapp.errors import ChatAppError
from chatapp.settings import terminal_language

HELP_NAMES = ["-h", "--help"]
SETTINGS = {"help_option_names": HELP_NAMES}

F = TypeVar("F", bound=Callable[..., Any])


class Command(click.Command):
    """A command in the terminal's language."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(
            *args,
            **{"context_settings": SETTINGS, "options_metavar": say("form.options"), **kwargs},
        )

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Translate the help of --help."""
        return _translated(super().get_help_option(ctx))

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage line."""
        formatter.write_usage(
            ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), say("form.usage")
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options."""
        _write_options(self, ctx, formatter)

    def format_arguments(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write nothing: the help of the command describes its arguments."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command and report an error."""
        try:
            return super().invoke(ctx)
        except ChatAppError as fault:
            _finish(ctx, End(error_text(fault), fault.code))
        except End as end:
            _finish(ctx, end)


class Group(click.Group):
    """A group of commands in the terminal's language; `places` are commands in other modules."""

    command_class = Command

    def __init__(
        self, *args: Any, places: Mapping[str, tuple[str, str]] | None = None, **kwargs: Any
    ) -> None:
        words_of_usage = {
            "options_metavar": say("form.options"),
            "subcommand_metavar": say("form.command"),
        }
        super().__init__(*args, **{"context_settings": SETTINGS, **words_of_usage, **kwargs})
        self._places = dict(places or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands in the order of definition."""
        return [*self._places, *(name for name in self.commands if name not in self._places)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, importing its module now."""
        if cmd_name in self._places and cmd_name not in self.commands:
            module, _, attribute = self._places[cmd_name][0].partition(":")
            self.add_command(getattr(importlib.import_module(module), attribute), cmd_name)
        return super().get_command(ctx, cmd_name)

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """Translate the help of --help."""
        return _translated(super().get_help_option(ctx))

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the usage line."""
        formatter.write_usage(
            ctx.command_path, " ".join(self.collect_usage_pieces(ctx)), say("form.usage")
        )

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands, without importing their modules."""
        _write_options(self, ctx, formatter)
        loaded = {name: command for name, command in self.commands.items() if not command.hidden}
        helps = {
            name: i18n.say(terminal_language(), key)
            for name, (_, key) in self._places.items()
            if key
        }
        helps |= {
            name: command.get_short_help_str(200)
            for name, command in loaded.items()
            if name not in helps
        }
        _write_section(
            formatter,
            say("form.commands"),
            [(name, helps[name]) for name in self.list_commands(ctx) if name in helps],
        )


def run(group: click.Group) -> None:
    """Run the command line; exit with 0 for success, 1 failure, 2 invalid usage, 130 Ctrl-C."""
    try:
        status = group.main(prog_name=program(), standalone_mode=False)
    except click.UsageError as fault:
        _report_usage(fault)
        sys.exit(MISUSED)
    except (click.Abort, KeyboardInterrupt):
        note("")
        sys.exit(INTERRUPTED)
    sys.exit(status if isinstance(status, int) else 0)


def as_json(command: F) -> F:
    """Add --json to a command."""
    option: Callable[[F], F] = click.option(
        "--json", "as_json", is_flag=True, help=say("option.json")
    )
    return option(command)


def given(name: str) -> bool:
    """Return whether an option was given on the command line."""
    return click.get_current_context().get_parameter_source(name) == ParameterSource.COMMANDLINE


def _finish(ctx: click.Context, end: End) -> None:
    if ctx.params.get("as_json"):
        print_json({"error": {"code": end.code, "message": end.message}})
    elif end.message:
        note(end.message)
    ctx.exit(end.status)


def _translated(option: click.Option | None) -> click.Option | None:
    if option is not None:
        option.help = say("form.help")
    return option


def _write_options(
    command: click.Command, ctx: click.Context, formatter: click.HelpFormatter
) -> None:
    records = [
        record
        for each in command.get_params(ctx)
        if isinstance(each, click.Option) and (record := each.get_help_record(ctx))
    ]
    if records:
        _write_section(
            formatter,
            say("form.added"),
            [(name, text.replace("[required]", say("form.required"))) for name, text in records],
        )


def _write_section(
    formatter: click.HelpFormatter, heading: str, rows: list[tuple[str, str]]
) -> None:
    """Write rows under a heading; click's own sections end a heading with an ASCII colon."""
    formatter.write_paragraph()
    formatter.write(f"{heading}\n")
    with formatter.indentation():
        formatter.write_dl(rows)


def _report_usage(fault: click.UsageError) -> None:
    """Report invalid usage and how to show the help."""
    if isinstance(fault, click.exceptions.NoArgsIsHelpError):
        note(fault.message)
        return
    note(_usage_error(fault))
    if fault.ctx is not None:
        note(say("form.see", command=f"{fault.ctx.command_path} --help"))


def _usage_error(fault: click.UsageError) -> str:
    if isinstance(fault, click.NoSuchOption):
        return say("form.no_option", name=fault.option_name)
    if isinstance(fault, click.exceptions.NoSuchCommand):
        return say("form.no_command", name=fault.command_name)
    if isinstance(fault, click.MissingParameter):
        return say("form.missing", name=_name(fault))
    if isinstance(fault, click.BadOptionUsage):
        return say("form.no_value", name=fault.option_name)
    if isinstance(fault, click.BadParameter):
        kind = fault.param.type if fault.param else None
        if isinstance(kind, click.Choice):
            return say("form.one_of", name=_name(fault), choices=", ".join(kind.choices))
        if isinstance(kind, click.Path):
            return say("form.no_path", name=_name(fault))
        return say("form.wrong", name=_name(fault))
    return say("form.unclear")


def _name(fault: click.BadParameter) -> str:
    if isinstance(fault.param, click.Option):
        return max(fault.param.opts, key=len)
    return fault.param.make_metavar(fault.ctx) if fault.param and fault.ctx else ""
