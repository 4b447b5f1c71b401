"""Make of a project what AWS Lambda takes: a zip of each function, and of each layer.

Nothing here runs on AWS, and none of it is in what is made.
"""

from circulate_core.aws.packaging.package import MOST_UNZIPPED, MOST_ZIPPED, Package, Packages
from circulate_core.aws.packaging.project import package

__all__ = ["MOST_UNZIPPED", "MOST_ZIPPED", "Package", "Packages", "package"]
