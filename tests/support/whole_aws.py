"""Runs ministack so that Terraform can work with it, and a second plan shows the truth."""

from typing import Any

from hypercorn.config import Config
from ministack.app import main  # type: ignore[import-untyped]
from ministack.services import stepfunctions  # type: ignore[import-untyped]


def keeping_tracing(data: dict[str, Any]) -> Any:  # noqa: ANN401 - a response of ministack's
    """Make a state machine, and keep how it is traced."""
    response = _create(data)
    for machine in stepfunctions._state_machines.values():  # noqa: SLF001 - there is no other way to it
        if machine["name"] == data.get("name"):
            machine["tracingConfiguration"] = data.get("tracingConfiguration", {"enabled": False})
    return response


if __name__ == "__main__":
    # Terraform's provider waits for ever for what it requested by HTTP/2.
    Config.alpn_protocols = ["http/1.1"]
    # It sends a request again whose connection was closed just then, and finds that what it makes exists.
    Config.keep_alive_timeout = 600
    _create = stepfunctions._create_state_machine  # noqa: SLF001 - as above
    stepfunctions._create_state_machine = keeping_tracing  # noqa: SLF001 - as above
    main()
