"""Make of a project what AWS Lambda takes: a zip of each function, and of each layer.

Nothing here runs on AWS, and none of it is in what is made.
"""

from circulate_core.aws.packaging.assemble import package
from circulate_core.aws.packaging.package import MOST_UNZIPPED, MOST_ZIPPED, Package, Packages

__all__ = ["MOST_UNZIPPED", "MOST_ZIPPED", "Package", "Packages", "package"]
