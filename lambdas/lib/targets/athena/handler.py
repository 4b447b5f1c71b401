"""Brings runs of the bucket for readers into tables of the Glue Data Catalog, which Athena reads."""

from circulate_core.aws import registrar

register = registrar()
