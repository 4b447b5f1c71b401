"""Make of a project what AWS Lambda takes: a zip of each function, and of each layer.

Nothing here runs on AWS, and none of it is in what is made.
"""

from circulate_core.aws.packaging.assemble import package
from circulate_core.aws.packaging.contents import data_files, function_files, handlers_made
from circulate_core.aws.packaging.definitions import handler_of, own_catalogs, wrong_definitions, wrong_reads
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
    "handler_of",
    "handlers_made",
    "lay_out_terraform",
    "own_catalogs",
    "package",
    "required_files",
    "wrong_definitions",
    "wrong_reads",
]
