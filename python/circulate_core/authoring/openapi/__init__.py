"""Sources made of OpenAPI documents: `circulate import openapi`.

A document is walked as untyped JSON, since real ones keep to no version of the specification. What it does not say is
never made up: it is reported, and a list whose paginator nobody knows does not run.
"""
