"""Complete, exactly accounted data out of SaaS APIs.

```python
import circulate_core

okta = circulate_core.source("okta")  # settings from OKTA_ORG_URL and OKTA_API_TOKEN, or circulate.toml
users = okta.stream("users")
print(users.sample(3).records())
report = users.pull(to="./lake")
print(report["status"], report["records"])
```
"""

from circulate_core._core import VERSION, Stop
from circulate_core.api import check, gc, manifest, promote, pull, pull_async, runs, streams, token, verify
from circulate_core.exceptions import CirculateError, IncompleteWarning
from circulate_core.reading import Batch, Source, Stream, source

__version__ = VERSION

__all__ = [
    "Batch",
    "CirculateError",
    "IncompleteWarning",
    "Source",
    "Stop",
    "Stream",
    "__version__",
    "check",
    "gc",
    "manifest",
    "promote",
    "pull",
    "pull_async",
    "runs",
    "source",
    "streams",
    "token",
    "verify",
]
