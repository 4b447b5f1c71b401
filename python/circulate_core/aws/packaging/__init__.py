"""Make of a project what AWS Lambda takes: a zip of each function, and of each layer.

Nothing here runs on AWS, and none of it is in what is made.
"""

from circulate_core.aws.packaging.assemble import package
from circulate_core.aws.packaging.package import MAX_UNZIPPED, MAX_ZIPPED, Package, Packages

__all__ = ["MAX_UNZIPPED", "MAX_ZIPPED", "Package", "Packages", "package"]
