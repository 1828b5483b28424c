"""`sctune checks`."""

from __future__ import annotations

from sctune.exitcodes import ExitCode


def run_checks() -> ExitCode:
    """Lists every check with what it finds; broken ones say what is wrong with them."""
    from sctune.commands.catalogue import new_page, write
    from sctune.registry import load

    registry = load()
    broken = {module.origin: module.broken for module in registry.broken}
    page = new_page()
    for check in registry.checks:
        page.add(f"  {check.title}", lead=check.name, sgr="1", hang=4)
        for code in check.codes:
            severities = "/".join(severity.value for severity in code.severities)
            advice = ", advice" if code.advice else ""
            page.add(f"{code.code:<30}  {severities}{advice}", indent=4, hang=6)
    for origin, why in broken.items():
        page.add(f"{origin}: {why}", lead="cannot be used: ", sgr="1;31", hang=4)
    write(page)
    return ExitCode.OK
