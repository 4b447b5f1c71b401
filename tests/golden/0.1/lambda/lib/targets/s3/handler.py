"""Copies runs from the bucket they were pulled to into the bucket for readers."""

from circulate_core.aws import promoter

promote = promoter()
