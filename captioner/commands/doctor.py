"""`doctor`: looks the installation over and says what to do about each thing that is wrong."""

from argparse import ArgumentParser
from dataclasses import asdict, dataclass
from pathlib import Path

from captioner.commands import arguments
from captioner.commands.report import print_json

_WRONG = 1
SUMMARY = "look the installation over, and say what to do about what is wrong"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request):
    checkpoints: Path
    encoder_weights: Path | None


def add_arguments(parser: ArgumentParser) -> None:
    parser.description = "Look the installation over. The exit status is 0 when all is well and 1 when something is wrong."
    arguments.checkpoints(parser)
    arguments.encoder_weights(parser)


def run(options: Request) -> int:
    from captioner.reports.doctor import examine

    findings = []
    for finding in examine(options.checkpoints, options.encoder_weights):
        findings.append(finding)
        if not options.json:
            print(f"{'well ' if finding.fine else 'WRONG'}  {finding.what}: {finding.says}", flush=True)
            if finding.advice:
                print(f"       {finding.advice}", flush=True)
    wrong = sum(not finding.fine for finding in findings)
    if options.json:
        print_json({"fine": not wrong, "findings": [asdict(finding) for finding in findings]})
    else:
        print("All is well." if not wrong else f"{wrong} of {len(findings)} things are wrong.")
    return _WRONG if wrong else 0
