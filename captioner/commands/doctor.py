"""`doctor`: check the installation, and print what to do about each failure; `captioner.reports.doctor` has the checks."""

from dataclasses import asdict, dataclass
from pathlib import Path

from captioner.commands import arguments
from captioner.commands.report import print_json

_FAILED = 1
SUMMARY = "check the installation, and say how to repair it"


@dataclass(frozen=True, kw_only=True)
class Request(arguments.Request):
    description = "Check the installation. The exit status is 0 if all checks pass and 1 if one fails."
    checkpoints: Path = arguments.checkpoints()
    encoder_weights: Path | None = arguments.encoder_weights()


def run(request: Request) -> int:
    from captioner.reports.doctor import examine

    findings = []
    for finding in examine(request.checkpoints, request.encoder_weights):
        findings.append(finding)
        if not request.json:
            print(f"{'ok' if finding.fine else 'FAIL':4}  {finding.what}: {finding.says}", flush=True)
            if finding.advice:
                print(f"      {finding.advice}", flush=True)
    failed = sum(not finding.fine for finding in findings)
    if request.json:
        print_json({"fine": not failed, "findings": [asdict(finding) for finding in findings]})
    else:
        print("All checks passed." if not failed else f"{failed} of {len(findings)} checks failed.")
    return _FAILED if failed else 0
