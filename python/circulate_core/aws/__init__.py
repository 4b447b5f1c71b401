"""Running on AWS Lambda.

A function is a few lines:

```python
from circulate_core.aws import puller

list = puller("okta.users")
```

`circulate_local` runs such functions on this machine as Lambda would; functions themselves never import it.
"""

from circulate_core.aws.calling import caller
from circulate_core.aws.handler import puller
from circulate_core.aws.promotion import promoter
from circulate_core.aws.registration import registrar

__all__ = ["caller", "promoter", "puller", "registrar"]
