"""Run Lambda functions on this machine as AWS runs them.

An unmodified handler runs under AWS's own runtime client, in processes of its own, against a Runtime API and an
Extensions API that behave as AWS's do: phases, time and memory limits, freezing between calls, `/tmp`, logs.

```python
from pathlib import Path

from circulate_local import Function, LocalLambda

users = Function(name="users", task_root=Path("lambdas/users"), handler="handler.list", timeout_s=30)
with LocalLambda([users], log=print) as local:
    print(local.invoke("users", b'{"mode": "full"}').payload)
```
"""

from circulate_local.function import Function
from circulate_local.invocation import Invocation
from circulate_local.local_lambda import LocalLambda
from circulate_local.refusals import InvokeError
from circulate_local.variables import Credentials

__all__ = ["Credentials", "Function", "Invocation", "InvokeError", "LocalLambda"]
