"""Make of a project what AWS Lambda takes: a zip of each function, and of each layer.

Nothing here runs on AWS, and none of it is in what is made.
"""

from circulate_core.aws.packaging.assemble import package
from circulate_core.aws.packaging.contents import data_files, function_files, pulls_of
from circulate_core.aws.packaging.definitions import own_catalogs, wrong_pulls
from circulate_core.aws.packaging.package import MAX_UNZIPPED, MAX_ZIPPED, Package, Packages
from circulate_core.aws.packaging.requirements import required_files
from circulate_core.aws.packaging.terraform import lay_out_terraform

__all__ = [
    "MAX_UNZIPPED",
    "MAX_ZIPPED",
    "Package",
    "Packages",
    "data_files",
    "function_files",
    "lay_out_terraform",
    "own_catalogs",
    "package",
    "pulls_of",
    "required_files",
    "wrong_pulls",
]
