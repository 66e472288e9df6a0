#!/usr/bin/env python3
"""Reset a halt, or confirm a reset: who, why, what becomes of the high-water mark. A thin call of the client SDK."""

import argparse
import sys

import grpc

from gateway.addresses import DEFAULT_ADDRESS
from gateway.client import Client
from gateway.credentials import add_credential_options
from gateway.status import refusal_of
from tidegate.errors import ConfigurationError
from tidegate.v1 import admin_pb2, common_pb2

_CALL_TIMEOUT_S = 5.0


def parse_options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operator", default="", help="your name; it is journaled; by default your token's")
    parser.add_argument("--reason", required=True, help="why trading may go on; it is journaled")
    parser.add_argument("--confirm", type=int, default=0, metavar="REQUEST", help="confirm what another one asked for")
    mark = parser.add_mutually_exclusive_group()
    mark.add_argument("--rebase-peak", action="store_true", help="drawdown counts from the equity of now")
    mark.add_argument("--keep-peak", action="store_true", help="drawdown goes on counting from the old peak")
    scope = parser.add_mutually_exclusive_group()
    scope.add_argument("--strategy", default="", help="reset only this strategy's halt")
    scope.add_argument("--instrument", default="", help="reset only this instrument's halt")
    parser.add_argument("--address", default=DEFAULT_ADDRESS, help="where AdminService answers")
    add_credential_options(parser)
    options = parser.parse_args()
    if options.confirm:
        if options.strategy or options.instrument or options.rebase_peak or options.keep_peak:
            parser.error("--confirm goes alone: the request says which scope, and what becomes of its peak")
        return options
    if not (options.strategy or options.instrument or options.rebase_peak or options.keep_peak):
        parser.error("the portfolio's reset needs --rebase-peak or --keep-peak")
    if (options.strategy or options.instrument) and (options.rebase_peak or options.keep_peak):
        parser.error("only the portfolio has a high-water mark: --rebase-peak and --keep-peak go without a scope")
    return options


def main(options: argparse.Namespace) -> int:
    """Reset, and say in one line what happened."""
    scope = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_PORTFOLIO)
    if options.strategy:
        scope = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_STRATEGY, name=options.strategy)
    elif options.instrument:
        scope = common_pb2.Scope(kind=common_pb2.SCOPE_KIND_INSTRUMENT, name=options.instrument)
    choice = admin_pb2.HIGH_WATER_MARK_CHOICE_UNSPECIFIED
    if options.rebase_peak:
        choice = admin_pb2.HIGH_WATER_MARK_CHOICE_REBASE
    elif options.keep_peak:
        choice = admin_pb2.HIGH_WATER_MARK_CHOICE_KEEP
    request = admin_pb2.ResetHaltRequest(
        scope=scope, operator=options.operator, reason=options.reason, high_water_mark=choice
    )
    try:
        client = Client(
            options.address,
            timeout_s=_CALL_TIMEOUT_S,
            token=options.token,
            ca=options.ca,
            certificate=options.certificate,
            key=options.key,
        )
    except ConfigurationError as error:
        print(error, file=sys.stderr)
        return 1
    with client:
        try:
            said = _confirmed(client, options) if options.confirm else _asked(client, request)
        except grpc.RpcError as error:
            refusal = refusal_of(error)
            print(f"{refusal.reason or refusal.code.name}: {refusal.text}", file=sys.stderr)
            return 1
    print(said)
    return 0


def _asked(client: Client, request: admin_pb2.ResetHaltRequest) -> str:
    answer = client.admin.ResetHalt(request)
    name = request.scope.name or "portfolio"
    if answer.request_sequence:
        return f"{name}: asked; another person confirms it with --confirm {answer.request_sequence}"
    return f"{name}: {'reset' if answer.changed else 'was not halted'}"


def _confirmed(client: Client, options: argparse.Namespace) -> str:
    request = admin_pb2.ConfirmResetRequest(
        request_sequence=options.confirm, operator=options.operator, reason=options.reason
    )
    return f"{client.admin.ConfirmReset(request).scope.name or 'portfolio'}: reset"


if __name__ == "__main__":
    sys.exit(main(parse_options()))
