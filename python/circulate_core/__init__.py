"""Complete, exactly accounted data out of SaaS APIs.

```python
import circulate_core

report = circulate_core.pull(
    "okta.users", to="./lake", settings={"org_url": "https://acme.okta.com", "api_token": "00a..."}
)
print(report["status"], report["records"])
```
"""

from circulate_core._core import VERSION, Stop
from circulate_core.api import check, gc, promote, pull, runs, streams, token, verify
from circulate_core.exceptions import CirculateError

__version__ = VERSION

__all__ = [
    "CirculateError",
    "Stop",
    "__version__",
    "check",
    "gc",
    "promote",
    "pull",
    "runs",
    "streams",
    "token",
    "verify",
]
